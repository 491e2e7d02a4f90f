// A program that profiles itself: it computes, allocates, waits and contends under labels, and
// writes every profile twice, for reports and for comparisons, into the directory of its argument.
package main

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"sort"
	"strings"
	"sync"
	"time"
)

var sink [][]byte

func workHash(n int) (h uint64) {
	for i := 0; i < n; i++ {
		h = h*1099511628211 + uint64(i)
	}
	return h
}

func workSort(n int) {
	s := make([]int, n)
	for i := range s {
		s[i] = int(workHash(3)) ^ (i * 7919)
	}
	sort.Slice(s, func(a, b int) bool { return s[a] < s[b] })
}

func workAllocate(n int) {
	for i := 0; i < n; i++ {
		sink = append(sink, []byte(strings.Repeat("x", 100+i*37%5000)))
	}
}

func recurse(n int) {
	if n > 0 {
		recurse(n - 1)
		return
	}
	workSort(2000)
}

func contend(mu *sync.Mutex, n int) {
	for i := 0; i < n; i++ {
		mu.Lock()
		time.Sleep(200 * time.Microsecond)
		mu.Unlock()
	}
}

func wait(c chan int) { <-c }

func labelled(role string, f func()) {
	pprof.Do(context.Background(), pprof.Labels("role", role), func(context.Context) { f() })
}

func load(until time.Time) {
	for time.Now().Before(until) {
		labelled("a", func() { workHash(200000) })
		labelled("b", func() { recurse(5) })
		workAllocate(20)
	}
}

func write(name string, suffix string) {
	f, err := os.Create(filepath.Join(os.Args[1], name+suffix))
	if err != nil {
		panic(err)
	}
	defer f.Close()
	if err := pprof.Lookup(name).WriteTo(f, 0); err != nil {
		panic(err)
	}
}

func main() {
	runtime.SetBlockProfileRate(1)
	runtime.SetMutexProfileFraction(1)
	runtime.MemProfileRate = 4096
	block := make(chan int)
	for i := 0; i < 3; i++ {
		labelled("waiting", func() { go wait(block) })
	}
	for _, suffix := range []string{".base.pb.gz", ".pb.gz"} {
		f, err := os.Create(filepath.Join(os.Args[1], "cpu"+suffix))
		if err != nil {
			panic(err)
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			panic(err)
		}
		var mu sync.Mutex
		var done sync.WaitGroup
		for i := 0; i < 3; i++ {
			done.Add(1)
			go func() { defer done.Done(); contend(&mu, 20) }()
		}
		load(time.Now().Add(400 * time.Millisecond))
		done.Wait()
		pprof.StopCPUProfile()
		f.Close()
		for _, name := range []string{"heap", "allocs", "block", "mutex", "goroutine", "threadcreate"} {
			write(name, suffix)
		}
	}
}
