# Profiles of the application that listens on PORT.
PROFILES = http://127.0.0.1:$(PORT)/debug/pprof
SECONDS ?= 30
FLAGS ?= -top
OXPROF ?= oxprof

.PHONY: pprof-cpu pprof-heap pprof-goroutines

pprof-cpu:
	$(OXPROF) $(FLAGS) '$(PROFILES)/profile?seconds=$(SECONDS)'

pprof-heap:
	$(OXPROF) $(FLAGS) '$(PROFILES)/heap'

pprof-goroutines:
	$(OXPROF) $(FLAGS) '$(PROFILES)/goroutine'
