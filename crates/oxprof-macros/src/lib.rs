//! The attribute `oxprof::measure`; see there.
//!
//! A function is a few tokens that matter: `async`, `fn` and its name, what is between `->` and `where` or the body, and
//! the body, which is last. So there is no parser here, and no dependency that programs would have to build.

#![forbid(unsafe_code)]

use proc_macro::{Delimiter, Group, Ident, Literal, Span, TokenStream, TokenTree};

/// See `oxprof::measure`.
#[proc_macro_attribute]
pub fn measure(arguments: TokenStream, item: TokenStream) -> TokenStream {
    match name(arguments).and_then(|name| Function::find(item.clone(), name)) {
        Ok(function) => function.measured(),
        // The function stays as it is, so that there is one error, not one for each use of it.
        Err(message) => error(message).into_iter().chain(item).collect(),
    }
}

/// What matters of a function.
struct Function {
    /// Everything before the body.
    head: Vec<TokenTree>,
    /// The type after `->`, if it can be written elsewhere.
    output: Vec<TokenTree>,
    body: Group,
    is_async: bool,
    returns_result: bool,
    /// What it is called in the metrics.
    name: TokenStream,
}

impl Function {
    /// Finds the parts of an item; `name` overrides what it is called.
    fn find(item: TokenStream, name: Option<Literal>) -> Result<Self, &'static str> {
        const NO_FUNCTION: &str = "#[oxprof::measure] belongs on a function with a body";
        let mut head: Vec<_> = item.into_iter().collect();
        let body = match head.pop() {
            Some(TokenTree::Group(body)) if body.delimiter() == Delimiter::Brace => body,
            _ => return Err(NO_FUNCTION),
        };
        let is = |token: &TokenTree, word: &str| matches!(token, TokenTree::Ident(i) if i.to_string() == word);
        let at = head.iter().position(|token| is(token, "fn")).ok_or(NO_FUNCTION)?;
        let Some(TokenTree::Ident(ident)) = head.get(at + 1) else { return Err(NO_FUNCTION) };
        if head[..at].iter().any(|token| is(token, "const")) {
            return Err(
                "#[oxprof::measure] cannot measure a const fn, which may run in the compiler",
            );
        }
        let is_async = head[..at].iter().any(|token| is(token, "async"));
        let output = output(&head[at..]);
        let returns_result = returns_result(&output);
        let is_nameable = !mentions(&output, "impl");
        Ok(Self {
            name: full_name(ident, name),
            is_async,
            returns_result,
            output: if is_nameable { output } else { Vec::new() },
            head,
            body,
        })
    }

    fn measured(self) -> TokenStream {
        let Self { head, output, body, is_async, returns_result, name } = self;
        let is_error =
            if returns_result { "::core::result::Result::is_err" } else { "|_: &_| false" };
        let function = parse("static OXPROF_FUNCTION: ::oxprof::metrics::Function = ::oxprof::metrics::Function::new")
            .into_iter()
            .chain([group(Delimiter::Parenthesis, name)])
            .chain(parse(";"));
        let call: TokenStream = if is_async {
            let body = [parse("async move"), braced(hint(&output), body)].into_iter().collect();
            call("OXPROF_FUNCTION.measure_future", is_error, body, ".await")
        } else if returns_result {
            let returns = parse("->").into_iter().chain(output.iter().cloned());
            let returns = returns.filter(|_| !output.is_empty()).collect();
            let body =
                [parse("move ||"), returns, braced(TokenStream::new(), body)].into_iter().collect();
            call("OXPROF_FUNCTION.measure", is_error, body, "")
        } else {
            // Without a closure, which not every body can be put into.
            let guard = parse("let _oxprof_call = OXPROF_FUNCTION.call();");
            guard.into_iter().chain(body.stream()).collect()
        };
        let body = group(Delimiter::Brace, function.chain(call).collect());
        head.into_iter().chain([body]).collect()
    }
}

/// The name that the attribute gives, as a string literal.
fn name(arguments: TokenStream) -> Result<Option<Literal>, &'static str> {
    const HOW: &str = "#[oxprof::measure] takes nothing, or a name as a string literal";
    let mut arguments = arguments.into_iter();
    match (arguments.next(), arguments.next()) {
        (None, _) => Ok(None),
        (Some(TokenTree::Literal(name)), None) if name.to_string().starts_with('"') => {
            Ok(Some(name))
        }
        _ => Err(HOW),
    }
}

/// An expression: the literal, or the path of the function.
fn full_name(ident: &Ident, name: Option<Literal>) -> TokenStream {
    match name {
        Some(name) => TokenTree::from(name).into(),
        None => {
            let plain = ident.to_string();
            let plain = plain.strip_prefix("r#").unwrap_or(&plain);
            parse(&format!("::core::concat!(::core::module_path!(), \"::\", {plain:?})"))
        }
    }
}

/// The type after the arrow that follows the parameters.
fn output(signature: &[TokenTree]) -> Vec<TokenTree> {
    let is_parameters = |token: &TokenTree| matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis);
    let parameters = signature.iter().position(is_parameters).unwrap_or(signature.len());
    let after = signature.get(parameters + 1..).unwrap_or_default();
    let is = |token: &TokenTree, punct: char| matches!(token, TokenTree::Punct(p) if p.as_char() == punct);
    match after {
        [dash, arrow, rest @ ..] if is(dash, '-') && is(arrow, '>') => {
            let is_where = |token: &&TokenTree| !matches!(token, TokenTree::Ident(i) if i.to_string() == "where");
            rest.iter().take_while(is_where).cloned().collect()
        }
        _ => Vec::new(),
    }
}

/// Whether the type's last name before its parameters ends in `Result`.
fn returns_result(output: &[TokenTree]) -> bool {
    let before = output.iter().take_while(|token| match token {
        TokenTree::Ident(_) => true,
        TokenTree::Punct(punct) => punct.as_char() == ':',
        _ => false,
    });
    let last =
        before.filter_map(|t| if let TokenTree::Ident(i) = t { Some(i) } else { None }).last();
    last.is_some_and(|ident| ident.to_string().ends_with("Result"))
}

/// Whether a word is anywhere in a type.
fn mentions(tokens: &[TokenTree], word: &str) -> bool {
    tokens.iter().any(|token| match token {
        TokenTree::Ident(ident) => ident.to_string() == word,
        TokenTree::Group(group) => mentions(&group.stream().into_iter().collect::<Vec<_>>(), word),
        _ => false,
    })
}

/// A statement that tells the compiler what an async block returns, which cannot be written at the block.
fn hint(output: &[TokenTree]) -> TokenStream {
    if output.is_empty() {
        return TokenStream::new();
    }
    let start = parse("let oxprof_hint:");
    let end = parse("= loop {}; return oxprof_hint;");
    let body = start.into_iter().chain(output.iter().cloned()).chain(end).collect();
    let condition = parse("#[allow(unreachable_code, clippy::all)] if false");
    condition.into_iter().chain([group(Delimiter::Brace, body)]).collect()
}

/// `{ first body }`, the body in braces of its own, which keep its attributes and its errors' places.
fn braced(first: TokenStream, body: Group) -> TokenStream {
    if first.is_empty() {
        return TokenTree::from(body).into();
    }
    let inner = first.into_iter().chain(body.stream()).collect();
    group(Delimiter::Brace, inner).into()
}

/// `function(is_error, body)then`.
fn call(function: &str, is_error: &str, body: TokenStream, then: &str) -> TokenStream {
    let arguments = parse(is_error).into_iter().chain(parse(",")).chain(body).collect();
    let arguments = group(Delimiter::Parenthesis, arguments);
    parse(function).into_iter().chain([arguments]).chain(parse(then)).collect()
}

fn group(delimiter: Delimiter, stream: TokenStream) -> TokenTree {
    Group::new(delimiter, stream).into()
}

fn error(message: &str) -> TokenStream {
    parse(&format!("::core::compile_error! {{ {message:?} }}"))
}

/// Tokens of our own text, with names that the function's do not collide with.
fn parse(text: &str) -> TokenStream {
    let tokens: TokenStream = text.parse().unwrap_or_default();
    tokens.into_iter().map(local).collect()
}

fn local(mut token: TokenTree) -> TokenTree {
    if let TokenTree::Group(group) = token {
        let inner = group.stream().into_iter().map(local).collect();
        token = Group::new(group.delimiter(), inner).into();
    }
    token.set_span(Span::mixed_site());
    token
}
