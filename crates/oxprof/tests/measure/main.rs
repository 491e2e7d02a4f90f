//! Functions of all kinds, measured.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use oxprof::measure;
use oxprof::metrics::{Format, text};

#[global_allocator]
static ALLOC: oxprof::Heap = oxprof::Heap::system();

#[measure]
fn plain(a: u32) -> u32 {
    if a == 0 {
        return 7;
    }
    a + 1
}

#[measure]
fn borrows<'a>(list: &'a mut Vec<u32>, at: usize) -> &'a mut u32 {
    list.push(0);
    &mut list[at]
}

#[measure("short")]
fn fallible(text: &str) -> Result<u32, Box<dyn std::error::Error>> {
    Ok(text.parse::<u32>()?)
}

#[measure]
fn consumes(mut list: Vec<u32>) -> io::Result<Vec<u32>> {
    list.push(1);
    Ok(list)
}

#[measure]
fn mutable(list: &mut [u32]) -> io::Result<&mut u32> {
    list.last_mut().ok_or_else(|| io::Error::other("empty"))
}

#[measure]
fn generic<T, const N: usize>(value: &T) -> [T; N]
where
    T: Clone + Send,
{
    std::array::from_fn(|_| value.clone())
}

#[measure]
fn opaque(to: u32) -> impl Iterator<Item = u32> {
    0..to
}

#[measure]
fn opaque_result(to: u32) -> io::Result<impl Iterator<Item = u32>> {
    Ok(0..to)
}

#[measure]
fn panics() {
    std::panic::resume_unwind(Box::new(()));
}

#[measure]
async fn later(text: &str) -> Result<u32, std::num::ParseIntError> {
    let parsed = text.parse::<u32>()?;
    std::future::ready(()).await;
    Ok(parsed)
}

#[measure]
async fn quiet(list: Vec<u32>) {
    std::future::ready(()).await;
    drop(list);
}

#[measure]
pub(crate) async fn never() -> u8 {
    std::future::pending().await
}

#[measure]
fn allocates() -> usize {
    std::hint::black_box(vec![1u8; 100_000]).len()
}

#[measure]
#[expect(unsafe_code, reason = "to see that it may be")]
unsafe fn careful(pointer: *const u32) -> u32 {
    // SAFETY: the test gives an address of a number.
    unsafe { *pointer }
}

struct Cache {
    hits: u32,
}

trait Get {
    async fn get(&mut self, key: u32) -> Result<u32, u32>;
}

impl Cache {
    #[measure]
    fn hit(&mut self) -> &mut Self {
        self.hits += 1;
        self
    }

    #[measure]
    fn r#try(&mut self) -> Result<u32, u32> {
        self.hit();
        Err(self.hits)
    }
}

impl Get for Cache {
    #[measure]
    async fn get(&mut self, key: u32) -> Result<u32, u32> {
        self.hits += key;
        Ok(self.hits)
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("nothing here waits"),
    }
}

#[track_caller]
fn check(metric: &str, function: &str, expected: u64) {
    let text = text(Format::Prometheus);
    let line = format!("{metric}{{function=\"{function}\"}} {expected}");
    let of_function: Vec<_> = text.lines().filter(|l| l.contains(function)).collect();
    assert!(of_function.contains(&line.as_str()), "{line} is not in {of_function:#?}");
}

#[track_caller]
fn check_calls(function: &str, calls: u64, errors: u64) {
    let function =
        if function == "short" { function.to_owned() } else { format!("measure::{function}") };
    check("function_calls_total", &function, calls);
    check("function_errors_total", &function, errors);
}

#[test]
fn functions() {
    assert_eq!((plain(0), plain(1)), (7, 2));
    check_calls("plain", 2, 0);
    *borrows(&mut vec![1], 0) += 1;
    check_calls("borrows", 1, 0);
    fallible("7").unwrap();
    fallible("x").unwrap_err();
    check_calls("short", 2, 1);
    consumes(Vec::new()).unwrap();
    check_calls("consumes", 1, 0);
    *mutable(&mut [1]).unwrap() += 1;
    mutable(&mut []).unwrap_err();
    check_calls("mutable", 2, 1);
    assert_eq!((generic::<_, 2>(&1u8), generic::<_, 1>(&"x")), ([1, 1], ["x"]));
    check_calls("generic", 2, 0);
    assert_eq!((opaque(3).count(), opaque_result(2).unwrap().count()), (3, 2));
    check_calls("opaque_result", 1, 0);
    std::panic::catch_unwind(panics).unwrap_err();
    check_calls("panics", 1, 1);
    // SAFETY: the address of a number.
    #[expect(unsafe_code, reason = "to see that it may be")]
    let value = unsafe { careful(&7) };
    assert_eq!(value, 7);
    check_calls("careful", 1, 0);
}

#[test]
fn methods() {
    let mut cache = Cache { hits: 0 };
    assert_eq!(cache.r#try(), Err(1));
    assert_eq!(run(cache.get(5)), Ok(6));
    check_calls("hit", 1, 0);
    check_calls("try", 1, 1);
    check_calls("get", 1, 0);
}

#[test]
fn async_functions() {
    run(later("7")).unwrap();
    run(later("x")).unwrap_err();
    check_calls("later", 2, 1);
    run(quiet(vec![1]));
    check_calls("quiet", 1, 0);
    let mut waiting = Box::pin(never());
    assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(waiting);
    check_calls("never", 1, 0);
}

#[test]
fn memory() {
    assert_eq!(allocates(), 100_000);
    check("function_memory_bytes_sum", "measure::allocates", 100_000);
    check("function_memory_bytes_count", "measure::allocates", 1);
}
