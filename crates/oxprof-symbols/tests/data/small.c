/* gcc -O1 -g -gdwarf-5 -nostdlib -static -no-pie -ffile-prefix-map=$PWD=. -fno-asynchronous-unwind-tables \
       -Wl,--build-id=sha1 -Wl,-z,noseparate-code -o small.elf small.c */
static inline int square(int x) { return x * x; }

static inline int hypot2(int x, int y) {
    return square(x) + square(y);
}

__attribute__((noinline)) int work(int n) {
    volatile int sum = 0;
    for (int i = 0; i < n; i++)
        sum += hypot2(i, sum);
    return sum;
}

void _start(void) {
    int code = work(100) & 0;
    __asm__ volatile("syscall" : : "a"(60), "D"(code));
    for (;;)
        ;
}
