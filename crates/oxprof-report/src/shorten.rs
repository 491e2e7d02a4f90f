//! Function names cut down to what fits into a box.

/// `name` without the parts that say where the function lives: paths and versions of Go modules, Java
/// packages and arguments, C++ namespaces.
pub(crate) fn shorten(name: &str) -> String {
    let name = name.strip_prefix("(anonymous namespace)::").unwrap_or(name);
    let name = without_go_version(name);
    let short = short_go(&name).or_else(|| short_java(&name)).or_else(|| short_cpp(&name));
    short.map_or_else(|| name.clone(), str::to_owned)
}

/// Drops the first `/vN`, N ≥ 2, that ends a path element.
fn without_go_version(name: &str) -> String {
    for (at, marker) in name.match_indices("/v") {
        let rest = &name[at + marker.len()..];
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let is_version = match &rest.as_bytes()[..digits] {
            [digit] => *digit >= b'2',
            [first, ..] => *first != b'0',
            [] => false,
        };
        if is_version && rest[digits..].starts_with(['.', '/']) {
            return format!("{}{}", &name[..at], &rest[digits..]);
        }
    }
    name.to_owned()
}

/// `path/to/package.Function` → `package.Function`.
fn short_go(name: &str) -> Option<&str> {
    let is_path = |c: char| is_word(c) || c == '-' || c == '.';
    let mut starts = Vec::new();
    let mut at = 0;
    while let Some(length) = name[at..].find('/') {
        if length == 0 || !name[at..at + length].chars().all(is_path) {
            break;
        }
        at += length + 1;
        starts.push(at);
    }
    let is_function =
        |rest: &str| matches!(rest.find('.'), Some(dot) if dot > 0 && dot + 1 < rest.len());
    starts.into_iter().rev().map(|start| &name[start..]).find(|rest| is_function(rest))
}

/// `org.example.Class.method(int)` → `Class.method`.
fn short_java(name: &str) -> Option<&str> {
    let mut rest = name;
    while rest.starts_with(|c: char| c.is_ascii_lowercase()) {
        let end = rest.find(|c: char| !is_word(c))?;
        rest = rest[end..].strip_prefix('.')?;
    }
    let is_java = |c: char| is_word(c) || c == '$';
    let class = rest.find(|c: char| !is_java(c))?;
    let method = rest[class..].strip_prefix('.')?;
    let length = match method.strip_prefix("<init>") {
        Some(_) => "<init>".len(),
        None => method.find(|c: char| !is_java(c)).unwrap_or(method.len()),
    };
    let named =
        method.starts_with("<init>") || method.starts_with(|c: char| c.is_ascii_lowercase());
    let ends = method[length..].is_empty() || method[length..].starts_with('(');
    let is_class = rest.starts_with(|c: char| c.is_ascii_uppercase());
    (is_class && named && ends).then(|| &rest[..class + 1 + length])
}

/// `space::Class::method<T>(int)` → `Class::method<T>`.
fn short_cpp(name: &str) -> Option<&str> {
    let mut starts = Vec::new();
    let mut at = 0;
    while let Some(length) = identifier(&name[at..]) {
        if !name[at + length..].starts_with("::") {
            break;
        }
        at += length + 2;
        starts.push(at);
    }
    starts.into_iter().rev().find_map(|start| class_and_method(&name[start..]))
}

fn class_and_method(text: &str) -> Option<&str> {
    let class = identifier(text)?;
    if !text.trim_start_matches('_').starts_with(|c: char| c.is_ascii_uppercase()) {
        return None;
    }
    let method = text[class..].strip_prefix("::")?;
    let tilde = usize::from(method.starts_with('~'));
    let length = tilde + identifier(&method[tilde..])?;
    let arguments = match &method[length..] {
        rest if rest.starts_with('<') => rest.rfind('>').map_or(0, |end| end + 1),
        _ => 0,
    };
    Some(&text[..class + 2 + length + arguments])
}

/// Length of the identifier that `text` starts with.
fn identifier(text: &str) -> Option<usize> {
    let length = text.find(|c: char| !is_word(c)).unwrap_or(text.len());
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    (length > 0 && starts).then_some(length)
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let check = |name: &str, expected: &str| assert_eq!(shorten(name), expected, "{name}");
        check("main", "main");
        check("github.com/a/b-c/pkg.(*T).Method", "pkg.(*T).Method");
        check("example.org/mod/v2.Run", "mod.Run");
        check("example.org/mod/v12/pkg.Run.func1", "pkg.Run.func1");
        check("example.org/mod/v1.Run", "v1.Run");
        check("net/http.(*conn).serve", "http.(*conn).serve");
        check("java.lang.Thread.run(Unknown Source)", "Thread.run");
        check("java.util.Map$Entry.<init>", "Map$Entry.<init>");
        check("java.lang.run", "java.lang.run");
        check("(anonymous namespace)::f", "f");
        check("ns::inner::Class::method<int>(char)", "Class::method<int>");
        check("ns::__Class::~__Class", "__Class::~__Class");
        check("core::slice::sort", "core::slice::sort");
        check("Class::method", "Class::method");
    }
}
