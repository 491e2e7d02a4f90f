//! The services behind the graph: products, and reviews of them.

/// A thing that is sold.
#[derive(Clone, Debug)]
pub(crate) struct Product {
    pub id: i64,
    pub name: String,
}

/// What somebody says of one.
#[derive(Clone, Debug)]
pub(crate) struct Review {
    pub author: String,
    pub stars: i64,
    pub text: String,
}

const PRODUCTS: i64 = 500;
const REVIEWS: i64 = 12;

/// Both services.
#[derive(Debug)]
pub(crate) struct Services {
    products: Vec<Product>,
    /// Of all products, as that service sends them.
    reviews: Vec<String>,
}

impl Services {
    pub(crate) fn open() -> Self {
        let product = |id| Product { id, name: format!("product {id}") };
        let review = |product, i| {
            let stars = 1 + (product * 7 + i * 3) % 5;
            format!(
                "{product}|author {i}|{stars}|I have used it for {} weeks, and would buy it again.",
                i + 1
            )
        };
        Self {
            products: (0..PRODUCTS).map(product).collect(),
            reviews: (0..PRODUCTS).flat_map(|p| (0..REVIEWS).map(move |i| review(p, i))).collect(),
        }
    }

    pub(crate) fn product(&self, id: i64) -> Option<Product> {
        self.products.get(usize::try_from(id).ok()?).cloned()
    }

    pub(crate) fn products(&self, first: usize) -> Vec<Product> {
        self.products.iter().take(first).cloned().collect()
    }

    /// Reviews of a product. They are looked for one by one, for each product anew: what a CPU profile should find.
    #[inline(never)]
    pub(crate) fn reviews(&self, product: i64) -> Vec<Review> {
        self.reviews.iter().filter_map(|row| parse_review(row, product)).collect()
    }
}

#[inline(never)]
fn parse_review(row: &str, wanted: i64) -> Option<Review> {
    let mut fields = row.splitn(4, '|');
    let product: i64 = fields.next()?.parse().ok()?;
    let (author, stars, text) = (fields.next()?, fields.next()?.parse().ok()?, fields.next()?);
    (product == wanted).then(|| Review { author: author.to_owned(), stars, text: text.to_owned() })
}
