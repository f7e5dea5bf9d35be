/* The calls that a page of host memory costs, in C: the floor for bench/memory.ts. page_loop PAGES ROUNDS PAGE_BYTES */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  (void)argc;
  size_t pages = strtoul(argv[1], NULL, 10), rounds = strtoul(argv[2], NULL, 10), bytes = strtoul(argv[3], NULL, 10);
  int fd = memfd_create("page-loop", MFD_CLOEXEC);
  char *base = mmap(NULL, pages * bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (fd < 0 || base == MAP_FAILED || ftruncate(fd, pages * bytes)) return 1;
  for (size_t round = 0; round < rounds; round++) {
    double start = now();
    for (size_t page = 0; page < pages; page++) {
      if (fallocate(fd, 0, page * bytes, bytes)) return 2;
      if (mmap(base + page * bytes, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd,
               page * bytes) == MAP_FAILED)
        return 3;
    }
    double mapped = now();
    for (size_t page = 0; page < pages; page++) {
      if (mmap(base + page * bytes, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) ==
          MAP_FAILED)
        return 4;
      if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, page * bytes, bytes)) return 5;
    }
    printf("%.9f %.9f\n", (mapped - start) / pages, (now() - mapped) / pages);
  }
  return 0;
}
