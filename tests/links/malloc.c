/* An allocator to preload: glibc's, with a header of its own in front of each block, so that mixing the two up shows. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *block);

struct header { void *start; size_t size; uint64_t mark; uint64_t unused; };
static const uint64_t MARK = 0x6f7870726f66;

static struct header *header_of(void *block) {
    struct header *header = (struct header *)block - 1;
    if (header->mark != MARK) abort();
    return header;
}

void *memalign(size_t alignment, size_t size) {
    if (alignment < sizeof(struct header)) alignment = sizeof(struct header);
    char *start = __libc_memalign(alignment, size + alignment);
    if (!start) return NULL;
    struct header *header = (struct header *)(start + alignment) - 1;
    *header = (struct header){start, size, MARK, 0};
    return header + 1;
}

void *malloc(size_t size) { return memalign(16, size); }
void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **place, size_t alignment, size_t size) {
    void *block = memalign(alignment, size);
    if (!block) return ENOMEM;
    *place = block;
    return 0;
}

void *calloc(size_t number, size_t size) {
    void *block = malloc(number * size);
    return block ? memset(block, 0, number * size) : NULL;
}

void free(void *block) {
    if (!block) return;
    struct header *header = header_of(block);
    header->mark = 0;
    __libc_free(header->start);
}

void *realloc(void *block, size_t size) {
    if (!block) return malloc(size);
    struct header *header = header_of(block);
    void *new = malloc(size);
    if (!new) return NULL;
    memcpy(new, block, header->size < size ? header->size : size);
    free(block);
    return new;
}
