//! What the shop does. Its functions are measured: `/metrics` tells how often they are called, and how long they take.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Sessions that are remembered.
const SESSIONS: usize = 100;

/// Bytes that a session holds.
const BASKET: usize = 16 << 10;

/// How often a receipt is hashed, so that forging one is slow.
const ROUNDS: usize = 200;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub customer: String,
    /// How many of what.
    pub lines: BTreeMap<String, u64>,
}

impl Order {
    /// What most people buy.
    pub(crate) fn usual() -> Self {
        let lines = [("desk lamp", 1), ("floor lamp", 2), ("oak table", 1)];
        let lines = lines.map(|(what, count)| (what.to_owned(), count));
        Self { customer: "somebody".to_owned(), lines: lines.into() }
    }
}

pub(crate) struct Shop {
    /// Prices in cents.
    catalogue: BTreeMap<String, u64>,
    ledger: Mutex<HashMap<String, Vec<u64>>>,
    sessions: Mutex<VecDeque<Vec<u8>>>,
    forgets: bool,
}

impl Shop {
    /// Opens it; if it does not forget sessions, it leaks.
    pub(crate) fn open(forgets: bool) -> Self {
        let colours = ["black", "white", "red", "green", "oak", "desk", "floor", "kitchen"];
        let things = ["lamp", "table", "chair", "shelf", "carpet", "mirror"];
        let mut catalogue = BTreeMap::new();
        for (i, colour) in colours.iter().enumerate() {
            for (j, thing) in things.iter().enumerate() {
                catalogue
                    .insert(format!("{colour} {thing}"), 1999 + 700 * i as u64 + 1300 * j as u64);
            }
        }
        Self { catalogue, ledger: Mutex::default(), sessions: Mutex::default(), forgets }
    }

    /// The price of an order in cents.
    #[oxprof::measure]
    pub(crate) fn price(&self, order: &Order) -> Result<u64, String> {
        let mut total = 0u64;
        for (what, count) in &order.lines {
            let price = self.catalogue.get(what).ok_or_else(|| format!("there is no {what}\n"))?;
            total = total.saturating_add(price.saturating_mul(*count));
        }
        Ok(total)
    }

    /// A receipt that nobody else can write.
    #[oxprof::measure]
    pub(crate) fn sign(&self, order: &Order, total: u64) -> String {
        let text = serde_json::to_vec(order).unwrap_or_default();
        let mut digest =
            Sha256::new().chain_update(&text).chain_update(total.to_le_bytes()).finalize();
        for _ in 0..ROUNDS {
            digest = Sha256::new().chain_update(digest).chain_update(&text).finalize();
        }
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Books an order; its number among those of the customer. All orders pass through one ledger.
    #[oxprof::measure]
    pub(crate) fn book(&self, customer: &str, total: u64) -> usize {
        let mut ledger = lock(&self.ledger);
        let account = ledger.entry(customer.to_owned()).or_default();
        // Accounts are kept short, and searched under the lock: something for the mutex profile to find.
        account.push(total);
        if account.len() > 1000 {
            account.drain(..500);
        }
        account.sort_unstable();
        account.len()
    }

    /// Things whose names have all the words.
    #[oxprof::measure]
    pub(crate) fn search(&self, words: &str) -> Vec<&str> {
        let words: Vec<_> = words.split_whitespace().map(str::to_lowercase).collect();
        let fits = |name: &&String| words.iter().all(|word| name.contains(word.as_str()));
        self.catalogue.keys().filter(fits).map(String::as_str).collect()
    }

    /// A session with an empty basket; how many there are.
    #[oxprof::measure]
    pub(crate) fn visit(&self) -> usize {
        let mut sessions = lock(&self.sessions);
        sessions.push_back(vec![0; BASKET]);
        if self.forgets && sessions.len() > SESSIONS {
            sessions.pop_front();
        }
        sessions.len()
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_have_prices_and_receipts() {
        let shop = Shop::open(true);
        let order = Order::usual();
        let total = shop.price(&order).unwrap();
        assert_eq!(shop.sign(&order, total).len(), 64);
        assert_ne!(shop.sign(&order, total), shop.sign(&order, total + 1));
        let odd = Order { lines: [("unicorn".to_owned(), 1)].into(), ..order };
        assert_eq!(shop.price(&odd), Err("there is no unicorn\n".to_owned()));
    }

    #[test]
    fn sessions_are_forgotten_unless_the_shop_leaks() {
        let (sound, leaky) = (Shop::open(true), Shop::open(false));
        let after = |shop: &Shop| (0..2 * SESSIONS).map(|_| shop.visit()).max();
        assert_eq!((after(&sound), after(&leaky)), (Some(SESSIONS), Some(2 * SESSIONS)));
    }

    #[test]
    fn all_words_are_searched_for() {
        assert_eq!(Shop::open(true).search("LAMP desk"), ["desk lamp"]);
    }
}
