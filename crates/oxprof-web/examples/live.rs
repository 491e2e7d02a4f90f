//! A program that shows its own profiles: open the address that this prints, and press Capture.

use oxprof::http::{Endpoints, Server};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let endpoints = oxprof_web::live(Endpoints::new());
    let server = Server::builder().address("127.0.0.1:0").endpoints(endpoints).start()?;
    println!("http://{}/debug/pprof/ui", server.local_addr());
    let mut primes = 0_u64;
    for number in 2_u64.. {
        primes += u64::from(is_prime(number));
        std::hint::black_box(primes);
    }
    Ok(())
}

fn is_prime(number: u64) -> bool {
    let candidates = 2..=number.isqrt();
    candidates.into_iter().all(|divisor| !number.is_multiple_of(divisor))
}
