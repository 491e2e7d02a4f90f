package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/trace"
	"strconv"
	"sync"
	"time"
)

var sink [][]byte

func web(n int) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		ctx, task := trace.NewTask(r.Context(), "handle")
		defer task.End()
		trace.WithRegion(ctx, "render", func() {
			trace.Logf(ctx, "req", "path=%s", r.URL.Path)
			b := make([]byte, 16<<10)
			for i := range b {
				b[i] = byte(i)
			}
			w.Write(b)
		})
	})
	srv := &http.Server{Handler: mux}
	go srv.Serve(ln)
	var wg sync.WaitGroup
	for c := 0; c < 8; c++ {
		wg.Add(1)
		go func(c int) {
			defer wg.Done()
			for i := 0; i < n; i++ {
				resp, err := http.Get("http://" + ln.Addr().String() + "/" + strconv.Itoa(i))
				if err != nil {
					continue
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
		}(c)
	}
	wg.Wait()
	srv.Close()
}

func gc(n int) {
	var wg sync.WaitGroup
	for c := 0; c < 4; c++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			var keep [][]byte
			for i := 0; i < n; i++ {
				keep = append(keep, make([]byte, 4<<10))
				if len(keep) > 2000 {
					keep = keep[1000:]
				}
			}
			runtime.KeepAlive(keep)
		}()
	}
	wg.Wait()
	runtime.GC()
}

func pool(n int) {
	jobs := make(chan int)
	var mu sync.Mutex
	total := 0
	var wg sync.WaitGroup
	for w := 0; w < 6; w++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for j := range jobs {
				s := 0
				for i := 0; i < 2000; i++ {
					s += i * j
				}
				mu.Lock()
				total += s
				mu.Unlock()
			}
		}()
	}
	for i := 0; i < n; i++ {
		jobs <- i
		if i%500 == 0 {
			f, _ := os.Open("/proc/self/stat")
			b := make([]byte, 100)
			f.Read(b)
			f.Close()
			time.Sleep(time.Millisecond)
		}
	}
	close(jobs)
	wg.Wait()
}

func tasks(n int) {
	root, rt := trace.NewTask(context.Background(), "root")
	var wg sync.WaitGroup
	for i := 0; i < n; i++ {
		wg.Add(1)
		ctx, t := trace.NewTask(root, fmt.Sprintf("job%d", i%3))
		r := trace.StartRegion(ctx, "spawn")
		go func() {
			defer wg.Done()
			defer t.End()
			defer trace.StartRegion(ctx, "work").End()
			trace.Log(ctx, "step", fmt.Sprintf("begin %d \"quoted\" \u00e9\n", i))
			trace.WithRegion(ctx, "inner", func() { time.Sleep(time.Duration(i%7) * 100 * time.Microsecond) })
			if i%10 == 0 {
				trace.Log(ctx, "", "tenth")
			}
		}()
		r.End()
		if i%50 == 0 {
			wg.Wait()
		}
	}
	wg.Wait()
	rt.End()
	seq := func(yield func(int) bool) {
		for i := 0; i < 100; i++ {
			if !yield(i) {
				return
			}
		}
	}
	_ = seq
}

func main() {
	kind, out := os.Args[1], os.Args[2]
	n, _ := strconv.Atoi(os.Args[3])
	run := map[string]func(int){"web": web, "gc": gc, "pool": pool, "tasks": tasks, "mix": func(n int) {
		var wg sync.WaitGroup
		for _, f := range []func(int){web, gc, pool, tasks} {
			wg.Add(1)
			go func() { defer wg.Done(); f(n) }()
		}
		wg.Wait()
	}}[kind]
	f, err := os.Create(out)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	if len(os.Args) > 4 && os.Args[4] == "flight" {
		fr := trace.NewFlightRecorder(trace.FlightRecorderConfig{MinAge: time.Second})
		if err := fr.Start(); err != nil {
			panic(err)
		}
		run(n)
		if _, err := fr.WriteTo(f); err != nil {
			panic(err)
		}
		fr.Stop()
		return
	}
	if err := trace.Start(f); err != nil {
		panic(err)
	}
	run(n)
	trace.Stop()
}
