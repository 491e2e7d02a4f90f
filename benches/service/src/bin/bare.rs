fn main() {
    oxprof_bench_service::run();
}
