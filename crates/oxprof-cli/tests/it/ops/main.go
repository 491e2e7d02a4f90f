// A service that works under a lock, and that leaks memory and goroutines when asked to.
package main

import (
	"fmt"
	"net"
	"net/http"
	_ "net/http/pprof"
	"runtime"
	"sync"
)

var (
	mu   sync.Mutex
	kept [][]byte
)

func work(w http.ResponseWriter, _ *http.Request) {
	mu.Lock()
	defer mu.Unlock()
	sum := 0
	for i := 0; i < 2_000_000; i++ {
		sum += i * i
	}
	fmt.Fprintln(w, sum)
}

func leak(http.ResponseWriter, *http.Request) {
	mu.Lock()
	kept = append(kept, make([]byte, 300_000))
	mu.Unlock()
	go func() { select {} }()
}

func main() {
	runtime.SetBlockProfileRate(1)
	runtime.SetMutexProfileFraction(1)
	http.HandleFunc("/work", work)
	http.HandleFunc("/leak", leak)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr())
	panic(http.Serve(listener, nil))
}
