// Writes one profile of each kind that Go has into the directory named by its argument.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"sync"
	"time"
)

var kept [][]byte

func spin(until time.Time) (sum uint64) {
	for time.Now().Before(until) {
		for i := uint64(0); i < 1000; i++ {
			sum += i * i
		}
	}
	return sum
}

func fibonacci(n int) int {
	if n < 2 {
		return n
	}
	return fibonacci(n-1) + fibonacci(n-2)
}

func allocate(sizes ...int) {
	for _, size := range sizes {
		for i := 0; i < 50; i++ {
			kept = append(kept, make([]byte, size))
		}
	}
}

func contend(mu *sync.Mutex, wg *sync.WaitGroup) {
	defer wg.Done()
	for i := 0; i < 5; i++ {
		mu.Lock()
		time.Sleep(time.Millisecond)
		mu.Unlock()
	}
}

func wait(release <-chan struct{}) { <-release }

func main() {
	dir := os.Args[1]
	runtime.SetBlockProfileRate(1)
	runtime.SetMutexProfileFraction(1)
	runtime.MemProfileRate = 512

	cpu, err := os.Create(filepath.Join(dir, "cpu.pb.gz"))
	if err != nil {
		panic(err)
	}
	if err := pprof.StartCPUProfile(cpu); err != nil {
		panic(err)
	}
	for i := 0; i < 3; i++ {
		labels := pprof.Labels("request", fmt.Sprint("route", i), "tenant", "a b")
		pprof.Do(context.Background(), labels, func(context.Context) {
			spin(time.Now().Add(150 * time.Millisecond))
			fibonacci(32)
		})
	}
	pprof.StopCPUProfile()
	cpu.Close()

	allocate(16, 1000, 70_000)

	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := 0; i < 4; i++ {
		wg.Add(1)
		go contend(&mu, &wg)
	}
	wg.Wait()

	release := make(chan struct{})
	for i := 0; i < 5; i++ {
		labels := pprof.Labels("worker", fmt.Sprint(i%2))
		pprof.Do(context.Background(), labels, func(context.Context) { go wait(release) })
	}
	time.Sleep(20 * time.Millisecond)
	for _, name := range []string{"heap", "allocs", "block", "mutex", "goroutine", "threadcreate"} {
		file, err := os.Create(filepath.Join(dir, name+".pb.gz"))
		if err != nil {
			panic(err)
		}
		if err := pprof.Lookup(name).WriteTo(file, 0); err != nil {
			panic(err)
		}
		file.Close()
	}
	close(release)
}
