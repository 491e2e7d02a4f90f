//! The graph over both services, and how queries are answered from it.

use serde_json::{Map, Value, json};

use crate::query::{Field, Query};
use crate::services::{Product, Review, Services};

/// Answers a query, field by field.
pub(crate) fn execute(query: &Query, services: &Services) -> Result<Value, String> {
    object(&query.fields, |field| match &*field.name {
        "product" => {
            let id = number(field, "id")?.ok_or("product needs an id")?;
            let found = services.product(id).ok_or_else(|| format!("there is no product {id}"))?;
            product(&field.fields, &found, services)
        }
        "products" => {
            let first = number(field, "first")?.unwrap_or(10);
            let products = services.products(usize::try_from(first).unwrap_or(0));
            products.iter().map(|p| product(&field.fields, p, services)).collect()
        }
        _ => unknown("Query", field),
    })
}

fn product(fields: &[Field], of: &Product, services: &Services) -> Result<Value, String> {
    object(fields, |field| match &*field.name {
        "id" => Ok(of.id.into()),
        "name" => Ok(of.name.as_str().into()),
        // What people say of it, from another service.
        "reviews" => services.reviews(of.id).iter().map(|r| review(&field.fields, r)).collect(),
        "stars" => {
            let reviews = services.reviews(of.id);
            let sum: i64 = reviews.iter().map(|review| review.stars).sum();
            Ok(json!(sum as f64 / reviews.len().max(1) as f64))
        }
        _ => unknown("Product", field),
    })
}

fn review(fields: &[Field], of: &Review) -> Result<Value, String> {
    object(fields, |field| match &*field.name {
        "author" => Ok(of.author.as_str().into()),
        "stars" => Ok(of.stars.into()),
        "text" => Ok(of.text.as_str().into()),
        _ => unknown("Review", field),
    })
}

fn object(
    fields: &[Field],
    resolve: impl Fn(&Field) -> Result<Value, String>,
) -> Result<Value, String> {
    let pair = |field: &Field| Ok((field.alias.clone(), resolve(field)?));
    fields.iter().map(pair).collect::<Result<Map<_, _>, String>>().map(Value::Object)
}

fn number(field: &Field, argument: &str) -> Result<Option<i64>, String> {
    let Some(value) = field.arguments.get(argument) else { return Ok(None) };
    value.as_i64().map(Some).ok_or_else(|| format!("{argument} is {value}, but must be a number"))
}

fn unknown(kind: &str, field: &Field) -> Result<Value, String> {
    Err(format!("{kind} has no field {}", field.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::parse;

    #[track_caller]
    fn check(query: &str, expected: &str) {
        let answer = execute(&parse(query, &Map::new()).unwrap(), &Services::open());
        let text = answer.map_or_else(|e| e, |value| value.to_string());
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn one_query_spans_services() {
        check(
            "{ product(id: 1) { name reviews { stars } } }",
            r#"{"product":{"name":"product 1","reviews":[{"stars":"#,
        );
        check("{ products(first: 2) { number: id } }", r#"[{"number":0},{"number":1}]"#);
        check("{ product(id: -1) { name } }", "there is no product -1");
        check("{ product(id: 1) { price } }", "Product has no field price");
    }
}
