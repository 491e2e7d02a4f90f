/* A C program that loads the plugin and unloads it, has it checked, and goes on. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

typedef int function(void);

static const char *path;

/* Calls a function of the library, which is then closed. */
static int call(const char *name) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) { fprintf(stderr, "%s\n", dlerror()); return 1; }
    function *f = (function *)dlsym(library, name);
    int result = f ? f() : 1;
    dlclose(library);
    return result;
}

static void *waits(void *unused) { call("wait_a_little"); return unused; }
static void *checks(void *unused) { return call("check_profiles") ? (void *)path : unused; }
static void *nothing(void *unused) { return unused; }

static void *run(void *(*body)(void *)) {
    pthread_t thread;
    void *result;
    pthread_create(&thread, NULL, body, NULL);
    pthread_join(thread, &result);
    return result;
}

static int is_loaded(void) {
    void *library = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
    if (library) dlclose(library);
    return library != NULL;
}

/* What the library asked to be told of still happens. */
static int go_on(void) {
    for (int i = 0; i < 100; i++) run(nothing);
    pid_t child = fork();
    if (child == 0) _exit(0);
    int status;
    return waitpid(child, &status, 0) != child || status != 0;
}

int main(int argc, char **argv) {
    path = argv[argc - 1];
    run(waits);
    /* Where destructors of the thread were to run, it is unloaded by the next look. */
    is_loaded();
    int was_unloaded = !is_loaded();
    int result = go_on();
    result |= run(checks) != NULL;
    int is_kept = is_loaded();
    result |= go_on();
    printf("C unload %s\n", was_unloaded && is_kept ? "ok" : "WRONG");
    return result || !was_unloaded || !is_kept;
}
