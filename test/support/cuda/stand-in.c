/*
 * A libcuda.so.1 without a GPU behind it: the true names and layouts, the driver's rules enforced, the bytes in memory files.
 *
 * KVCTL_TEST_CUDA_FOLDER names a folder with the file `facts`, read again whenever it is replaced. Each line is a key, a
 * blank and a value:
 *   driver_version 12040
 *   gpus 2
 *   cuMemCreate !2                 a call fails with that number
 *   delay.cuInit 6000              a call blocks so many ms before it answers
 *   gpu.0.name NVIDIA H100         also .uuid (32 hexadecimal digits), .pci_bus_id, .total_bytes
 *   gpu.0.attribute.102 0          a device attribute
 *   gpu.0.used_by_others 1048576   bytes that other programs hold
 *   context_bytes 1048576          what a context takes of the device
 *   granularity 2097152
 *   polls 2                        how often a query finds work unfinished
 *
 * The folder's file `counters` shows what each process holds, one struct counters after the other. Device addresses are
 * reserved without access, so that a program that touches one crashes as it would on a GPU. Work put into a stream is done
 * when somebody waits for it, never before: a program that reads too early reads what was there. New memory holds 0xa5.
 */
#define _GNU_SOURCE
#include "cuda-abi.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
enum {
  SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NOT_INITIALIZED = 3, NO_DEVICE = 100, INVALID_DEVICE = 101,
  INVALID_CONTEXT = 201, INVALID_HANDLE = 400, NOT_FOUND = 500, NOT_READY = 600, ILLEGAL_ADDRESS = 700,
  CONTEXT_DESTROYED = 709, ALREADY_REGISTERED = 712, NOT_REGISTERED = 713, NOT_PERMITTED = 800, NOT_SUPPORTED = 801
};
#define GPUS 16
#define PROCESSES 64

/* ---- what the tests say, and what they are told ---- */

struct counters {
  uint64_t pid, contexts, handles, physical_bytes, mapped_bytes, reserved_bytes, pinned_bytes, streams, events,
      copies, waits, wrong_abi_calls, device_bytes[GPUS];
};
static struct counters nowhere, *counters = &nowhere, *all_counters;
static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

static void path_of(char *path, size_t size, const char *name) {
  const char *folder = getenv("KVCTL_TEST_CUDA_FOLDER");
  snprintf(path, size, "%s/%s", folder ? folder : "/nonexistent", name);
}

static void facts_path(char *path, size_t size) { path_of(path, size, "facts"); }
#include "../stand-in/facts.h"

static unsigned long long number(unsigned long long otherwise, const char *key) {
  const char *found = value("%s", key);
  return found ? strtoull(found, NULL, 0) : otherwise;
}
static unsigned long long of_gpu(int gpu, unsigned long long otherwise, const char *what) {
  char key[128];
  snprintf(key, sizeof key, "gpu.%d.%s", gpu, what);
  return number(otherwise, key);
}
static size_t granularity(void) { return number(2 << 20, "granularity"); }

/* One slot a process in a file that all share; those of the dead are taken again. */
static void open_counters(void) {
  char path[4096];
  path_of(path, sizeof path, "counters");
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return;
  size_t bytes = PROCESSES * sizeof(struct counters);
  if (ftruncate(fd, bytes) != 0) { close(fd); return; }
  struct counters *slots = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (slots == MAP_FAILED) return;
  all_counters = slots;
  for (int i = 0; i < PROCESSES; i++) {
    uint64_t holder = slots[i].pid;
    int is_free = holder == 0 || holder == (uint64_t)getpid() || (kill((pid_t)holder, 0) != 0 && errno == ESRCH);
    if (is_free && __sync_bool_compare_and_swap(&slots[i].pid, holder, (uint64_t)getpid())) {
      counters = &slots[i];
      memset((char *)counters + sizeof counters->pid, 0, sizeof *counters - sizeof counters->pid);
      return;
    }
  }
}

/* ---- the state of this process ---- */

/* Physical memory: bytes of a file. It goes when neither a handle nor a mapping needs it. */
struct memory {
  int fd, gpu, handles, mappings, is_imported;
  off_t at;
  size_t bytes;
  CUmemAllocationProp prop;
  struct memory *next;
};
struct reservation { CUdeviceptr at; size_t bytes; int is_allocation; struct reservation *next; };
struct mapping { CUdeviceptr at; size_t bytes; struct memory *memory; unsigned char access[GPUS]; struct mapping *next; };
struct pinned { char *at; size_t bytes; int is_ours; struct pinned *next; };
enum kind { HTOD, DTOH, DTOD, SET8, SET32, MARK };
struct work {
  enum kind kind;
  CUdeviceptr to, from;
  void *host;
  size_t bytes;
  unsigned fill;
  CUevent event;
  unsigned long long ticket;
  struct work *next;
};
struct CUstream_st { unsigned flags; int gpu, polls; struct work *first, **last; struct CUstream_st *next; };
struct CUevent_st {
  unsigned flags;
  CUstream stream;
  int polls;
  unsigned long long asked, done;
  struct timespec at;
  struct CUevent_st *next;
};
struct CUctx_st { int gpu, users; unsigned flags; struct CUstream_st null_stream; };

static int is_initialized, dead;
static struct CUctx_st contexts[GPUS];
static __thread CUcontext stack[16];
static __thread int depth;
static struct memory *memories;
static struct reservation *reservations;
static struct mapping *mappings;
static struct pinned *pins;
static CUstream streams;
static CUevent events;
/* One memory file a device, given out in units of the granularity. */
static struct { int fd; unsigned char *taken; size_t units, hint; } pools[GPUS];

/* What every call does first: waits and fails if told to, and after a fatal fault fails for ever. */
static CUresult enter(const char *call) {
  const char *ms = value("delay.%s", call);
  if (ms) {
    struct timespec pause = {atol(ms) / 1000, atol(ms) % 1000 * 1000000L};
    nanosleep(&pause, NULL);
  }
  const char *told = value("%s", call);
  if (told && told[0] == '!') return atoi(told + 1);
  return SUCCESS;
}
static int gpu_count(void) {
  int count = (int)number(1, "gpus");
  return count > GPUS ? GPUS : count;
}
static CUresult with_driver(const char *call) {
  CUresult status = enter(call);
  if (status) return status;
  if (!is_initialized) return NOT_INITIALIZED;
  return dead;
}
static CUresult with_device(const char *call, CUdevice device) {
  CUresult status = with_driver(call);
  if (status) return status;
  return device >= 0 && device < gpu_count() ? SUCCESS : INVALID_DEVICE;
}
static CUcontext current(void) { return depth > 0 ? stack[depth - 1] : NULL; }
static CUresult with_context(const char *call) {
  CUresult status = with_driver(call);
  if (status) return status;
  if (!current()) return INVALID_CONTEXT;
  return current()->users > 0 ? SUCCESS : CONTEXT_DESTROYED;
}
#define BEGIN(check)                                                                                                  \
  pthread_mutex_lock(&lock);                                                                                          \
  CUresult status = check;                                                                                            \
  do {                                                                                                                \
    if (status) break
#define FAIL(code) { status = (code); break; }
#define END                                                                                                           \
  } while (0);                                                                                                        \
  pthread_mutex_unlock(&lock);                                                                                        \
  return status

static size_t total_bytes(int gpu) { return of_gpu(gpu, 80ULL << 30, "total_bytes"); }
static size_t used_bytes(int gpu) {
  size_t used = of_gpu(gpu, 0, "used_by_others");
  if (!all_counters) return used + counters->device_bytes[gpu];
  for (int i = 0; i < PROCESSES; i++)
    if (all_counters[i].pid && kill((pid_t)all_counters[i].pid, 0) == 0) used += all_counters[i].device_bytes[gpu];
  return used;
}
static int has_room(int gpu, size_t bytes) { return used_bytes(gpu) + bytes <= total_bytes(gpu); }

/* ---- start, errors, devices ---- */

EXPORT CUresult cuInit(unsigned flags) {
  BEGIN(enter("cuInit"));
  if (flags) FAIL(INVALID_VALUE);
  if (gpu_count() == 0) FAIL(NO_DEVICE);
  if (!is_initialized) {
    open_counters();
    for (int gpu = 0; gpu < GPUS; gpu++) {
      contexts[gpu].gpu = gpu;
      contexts[gpu].null_stream = (struct CUstream_st){.gpu = gpu};
      contexts[gpu].null_stream.last = &contexts[gpu].null_stream.first;
      pools[gpu].fd = -1;
    }
    is_initialized = 1;
  }
  END;
}
EXPORT CUresult cuDriverGetVersion(int *version) {
  BEGIN(enter("cuDriverGetVersion"));
  *version = (int)number(12040, "driver_version");
  END;
}
static const char *const error_texts[][3] = {
    {"0", "CUDA_SUCCESS", "no error"},
    {"1", "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {"2", "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {"100", "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {"700", "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
};
static CUresult error_text(CUresult error, int column, const char **out) {
  for (size_t i = 0; i < sizeof error_texts / sizeof error_texts[0]; i++)
    if (atoi(error_texts[i][0]) == error) return *out = error_texts[i][column], SUCCESS;
  return *out = NULL, INVALID_VALUE;
}
EXPORT CUresult cuGetErrorName(CUresult error, const char **out) { return error_text(error, 1, out); }
EXPORT CUresult cuGetErrorString(CUresult error, const char **out) { return error_text(error, 2, out); }

EXPORT CUresult cuDeviceGetCount(int *count) {
  BEGIN(with_driver("cuDeviceGetCount"));
  *count = gpu_count();
  END;
}
EXPORT CUresult cuDeviceGet(CUdevice *device, int ordinal) {
  BEGIN(with_device("cuDeviceGet", ordinal));
  *device = ordinal;
  END;
}
static CUresult text_of_gpu(char *out, int length, int gpu, const char *key, const char *otherwise) {
  const char *found = value("gpu.%d.%s", gpu, key);
  if (length < 1) return INVALID_VALUE;
  snprintf(out, (size_t)length, "%s", found ? found : otherwise);
  return SUCCESS;
}
EXPORT CUresult cuDeviceGetName(char *name, int length, CUdevice device) {
  BEGIN(with_device("cuDeviceGetName", device));
  status = text_of_gpu(name, length, device, "name", "NVIDIA Stand-In");
  END;
}
EXPORT CUresult cuDeviceGetPCIBusId(char *id, int length, CUdevice device) {
  BEGIN(with_device("cuDeviceGetPCIBusId", device));
  char otherwise[16];
  snprintf(otherwise, sizeof otherwise, "0000:%02x:00.0", (0x3b + device) & 0xff);
  status = text_of_gpu(id, length, device, "pci_bus_id", otherwise);
  END;
}
EXPORT CUresult cuDeviceGetUuid_v2(CUuuid *uuid, CUdevice device) {
  BEGIN(with_device("cuDeviceGetUuid_v2", device));
  const char *hex = value("gpu.%d.uuid", device);
  memset(uuid, 0, sizeof *uuid);
  uuid->bytes[15] = (char)device;
  for (int i = 0; hex && i < 16; i++) {
    char digits[3] = {hex[2 * i], hex[2 * i + 1], 0};
    uuid->bytes[i] = (char)strtoul(digits, NULL, 16);
  }
  END;
}
EXPORT CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice device) {
  BEGIN(with_device("cuDeviceTotalMem_v2", device));
  *bytes = total_bytes(device);
  END;
}
EXPORT CUresult cuDeviceGetAttribute(int *out, int attribute, CUdevice device) {
  static const int known[][2] = {{1, 1024}, {16, 132}, {18, 0}, {20, 0}, {32, 1}, {34, 0}, {36, 2619000}, {37, 5120},
                                 {38, 52428800}, {39, 2048}, {40, 3}, {41, 1}, {50, 0}, {75, 9}, {76, 0}, {102, 1},
                                 {103, 1}, {115, 1}};
  BEGIN(with_device("cuDeviceGetAttribute", device));
  if (attribute < 1 || attribute > 200) FAIL(INVALID_VALUE);
  *out = attribute == 33 ? 0x3b + device : 0;
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
    if (known[i][0] == attribute) *out = known[i][1];
  char key[32];
  snprintf(key, sizeof key, "attribute.%d", attribute);
  *out = (int)of_gpu(device, (unsigned long long)(long long)*out, key);
  END;
}

/* ---- contexts ---- */

EXPORT CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device) {
  BEGIN(with_device("cuDevicePrimaryCtxRetain", device));
  if (contexts[device].users == 0) {
    size_t bytes = number(400 << 20, "context_bytes");
    if (!has_room(device, bytes)) FAIL(OUT_OF_MEMORY);
    counters->device_bytes[device] += bytes;
    counters->contexts++;
  }
  contexts[device].users++;
  *context = &contexts[device];
  END;
}
static void drain(CUstream stream);
EXPORT CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device) {
  BEGIN(with_device("cuDevicePrimaryCtxRelease_v2", device));
  if (contexts[device].users == 0) FAIL(INVALID_CONTEXT);
  if (--contexts[device].users == 0) {
    drain(&contexts[device].null_stream);
    counters->device_bytes[device] -= number(400 << 20, "context_bytes");
    counters->contexts--;
  }
  END;
}
EXPORT CUresult cuDevicePrimaryCtxSetFlags_v2(CUdevice device, unsigned flags) {
  BEGIN(with_device("cuDevicePrimaryCtxSetFlags_v2", device));
  if (flags > 0x1f) FAIL(INVALID_VALUE);
  contexts[device].flags = flags;
  END;
}
EXPORT CUresult cuDevicePrimaryCtxGetState(CUdevice device, unsigned *flags, int *active) {
  BEGIN(with_device("cuDevicePrimaryCtxGetState", device));
  *flags = contexts[device].flags;
  *active = contexts[device].users > 0;
  END;
}
static int is_context(CUcontext context) { return context >= contexts && context < contexts + GPUS && context->users > 0; }
EXPORT CUresult cuCtxSetCurrent(CUcontext context) {
  BEGIN(with_driver("cuCtxSetCurrent"));
  if (context && !is_context(context)) FAIL(INVALID_CONTEXT);
  if (depth == 0) depth = 1;
  stack[depth - 1] = context;
  END;
}
EXPORT CUresult cuCtxGetCurrent(CUcontext *context) {
  BEGIN(with_driver("cuCtxGetCurrent"));
  *context = current();
  END;
}
EXPORT CUresult cuCtxPushCurrent_v2(CUcontext context) {
  BEGIN(with_driver("cuCtxPushCurrent_v2"));
  if (!is_context(context) || depth == 16) FAIL(INVALID_CONTEXT);
  stack[depth++] = context;
  END;
}
EXPORT CUresult cuCtxPopCurrent_v2(CUcontext *context) {
  BEGIN(with_driver("cuCtxPopCurrent_v2"));
  if (!current()) FAIL(INVALID_CONTEXT);
  *context = stack[--depth];
  END;
}

/* ---- physical memory ---- */

/* A place in the device's file for so many bytes; -1 when there is no run of free units. */
static off_t take_units(int gpu, size_t bytes) {
  size_t unit = granularity(), want = (bytes + unit - 1) / unit;
  if (pools[gpu].fd < 0) {
    pools[gpu].fd = memfd_create("cuda-stand-in", MFD_CLOEXEC);
    pools[gpu].units = total_bytes(gpu) / unit + 1;
    pools[gpu].taken = calloc(pools[gpu].units, 1);
    if (pools[gpu].fd < 0 || ftruncate(pools[gpu].fd, (off_t)(pools[gpu].units * unit)) != 0) return -1;
  }
  for (int lap = 0; lap < 2; lap++) {
    size_t run = 0;
    for (size_t i = lap ? 0 : pools[gpu].hint; i < pools[gpu].units; i++) {
      run = pools[gpu].taken[i] ? 0 : run + 1;
      if (run < want) continue;
      memset(pools[gpu].taken + i + 1 - want, 1, want);
      pools[gpu].hint = i + 1;
      return (off_t)((i + 1 - want) * unit);
    }
  }
  return -1;
}
static void fill(int fd, off_t at, size_t bytes, const void *pattern, size_t each) {
  static char block[1 << 16];
  for (size_t i = 0; i < sizeof block; i += each) memcpy(block + i, pattern, each);
  for (size_t done = 0; done < bytes;) {
    size_t part = bytes - done < sizeof block ? bytes - done : sizeof block;
    if (pwrite(fd, block, part, at + (off_t)done) != (ssize_t)part) abort();
    done += part;
  }
}
static struct memory *create(int gpu, size_t bytes, const CUmemAllocationProp *prop) {
  int is_shared = prop->requestedHandleTypes & 1;
  struct memory *memory = calloc(1, sizeof *memory);
  *memory = (struct memory){.gpu = gpu, .bytes = bytes, .prop = *prop, .next = memories, .fd = -1};
  if (is_shared) {
    memory->fd = memfd_create("cuda-stand-in-shared", MFD_CLOEXEC);
    if (memory->fd >= 0 && ftruncate(memory->fd, (off_t)bytes) != 0) abort();
  } else if ((memory->at = take_units(gpu, bytes)) >= 0) {
    memory->fd = pools[gpu].fd;
  }
  if (memory->fd < 0) return free(memory), NULL;
  fill(memory->fd, memory->at, bytes, "\xa5", 1);
  counters->device_bytes[gpu] += bytes;
  counters->physical_bytes += bytes;
  return memories = memory;
}
static void free_unneeded(struct memory *memory) {
  if (memory->handles > 0 || memory->mappings > 0) return;
  if (memory->prop.requestedHandleTypes & 1) {
    close(memory->fd);
  } else {
    size_t unit = granularity();
    fallocate(memory->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, memory->at, (off_t)memory->bytes);
    memset(pools[memory->gpu].taken + (size_t)memory->at / unit, 0, (memory->bytes + unit - 1) / unit);
    pools[memory->gpu].hint = (size_t)memory->at / unit;
  }
  /* Of memory that another process made, that process pays. */
  if (!memory->is_imported) {
    counters->device_bytes[memory->gpu] -= memory->bytes;
    counters->physical_bytes -= memory->bytes;
  }
  for (struct memory **at = &memories; *at; at = &(*at)->next)
    if (*at == memory) { *at = memory->next; break; }
  free(memory);
}
static struct memory *memory_of(CUmemGenericAllocationHandle handle) {
  for (struct memory *memory = memories; memory; memory = memory->next)
    if ((CUmemGenericAllocationHandle)(uintptr_t)memory == handle) return memory->handles > 0 ? memory : NULL;
  return NULL;
}
static CUresult check_prop(const CUmemAllocationProp *prop) {
  if (!prop || prop->type != 1 || prop->location.type != 1 || prop->allocFlags.compressionType > 1) return INVALID_VALUE;
  if (prop->requestedHandleTypes & ~1) return NOT_SUPPORTED;
  if (prop->location.id < 0 || prop->location.id >= gpu_count()) return INVALID_DEVICE;
  return of_gpu(prop->location.id, 1, "attribute.102") == 0 ? NOT_SUPPORTED : SUCCESS;
}
static int is_whole(size_t bytes) { return bytes > 0 && bytes % granularity() == 0; }

EXPORT CUresult cuMemGetAllocationGranularity(size_t *bytes, const CUmemAllocationProp *prop, int option) {
  BEGIN(with_driver("cuMemGetAllocationGranularity"));
  if ((status = check_prop(prop))) break;
  if (option != 0 && option != 1) FAIL(INVALID_VALUE);
  *bytes = granularity();
  END;
}
EXPORT CUresult cuMemCreate(CUmemGenericAllocationHandle *handle, size_t bytes, const CUmemAllocationProp *prop,
                            unsigned long long flags) {
  BEGIN(with_driver("cuMemCreate"));
  if (flags || !is_whole(bytes)) FAIL(INVALID_VALUE);
  if ((status = check_prop(prop))) break;
  if (!has_room(prop->location.id, bytes)) FAIL(OUT_OF_MEMORY);
  struct memory *memory = create(prop->location.id, bytes, prop);
  if (!memory) FAIL(OUT_OF_MEMORY);
  memory->handles = 1;
  counters->handles++;
  *handle = (uintptr_t)memory;
  END;
}
EXPORT CUresult cuMemRelease(CUmemGenericAllocationHandle handle) {
  BEGIN(with_driver("cuMemRelease"));
  struct memory *memory = memory_of(handle);
  if (!memory) FAIL(INVALID_VALUE);
  memory->handles--;
  counters->handles--;
  free_unneeded(memory);
  END;
}
EXPORT CUresult cuMemGetAllocationPropertiesFromHandle(CUmemAllocationProp *prop, CUmemGenericAllocationHandle handle) {
  BEGIN(with_driver("cuMemGetAllocationPropertiesFromHandle"));
  struct memory *memory = memory_of(handle);
  if (!memory) FAIL(INVALID_VALUE);
  *prop = memory->prop;
  END;
}
EXPORT CUresult cuMemExportToShareableHandle(void *out, CUmemGenericAllocationHandle handle, int type,
                                             unsigned long long flags) {
  BEGIN(with_driver("cuMemExportToShareableHandle"));
  struct memory *memory = memory_of(handle);
  if (!memory || flags || type != 1 || !(memory->prop.requestedHandleTypes & 1)) FAIL(INVALID_VALUE);
  int fd = fcntl(memory->fd, F_DUPFD_CLOEXEC, 0);
  if (fd < 0) FAIL(304);
  *(int *)out = fd;
  END;
}
EXPORT CUresult cuMemImportFromShareableHandle(CUmemGenericAllocationHandle *handle, void *os_handle, int type) {
  BEGIN(with_driver("cuMemImportFromShareableHandle"));
  struct stat theirs, ours;
  int fd = (int)(intptr_t)os_handle;
  if (type != 1 || fstat(fd, &theirs) != 0 || theirs.st_size == 0 || theirs.st_size % (off_t)granularity())
    FAIL(INVALID_VALUE);
  struct memory *memory = memories;
  for (; memory; memory = memory->next)
    if ((memory->prop.requestedHandleTypes & 1) && fstat(memory->fd, &ours) == 0 && ours.st_ino == theirs.st_ino) break;
  if (!memory) {
    memory = calloc(1, sizeof *memory);
    *memory = (struct memory){.bytes = (size_t)theirs.st_size, .is_imported = 1, .next = memories};
    memory->prop = (CUmemAllocationProp){.type = 1, .requestedHandleTypes = 1, .location = {1, 0}};
    memory->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    memories = memory;
  }
  memory->handles++;
  counters->handles++;
  *handle = (uintptr_t)memory;
  END;
}

/* ---- addresses and mappings ---- */

static int is_inside(CUdeviceptr at, size_t bytes, CUdeviceptr outer, size_t outer_bytes) {
  return at >= outer && bytes <= outer_bytes && at - outer <= outer_bytes - bytes;
}
static struct reservation *reservation_around(CUdeviceptr at, size_t bytes) {
  struct reservation *found = reservations;
  while (found && !is_inside(at, bytes, found->at, found->bytes)) found = found->next;
  return found;
}
static struct mapping *mapping_at(CUdeviceptr at) {
  struct mapping *found = mappings;
  while (found && !is_inside(at, 1, found->at, found->bytes)) found = found->next;
  return found;
}
/* Whether the range is made of whole mappings without a gap. */
static int is_mapped_whole(CUdeviceptr at, size_t bytes) {
  CUdeviceptr end = at + bytes;
  while (at < end) {
    struct mapping *mapping = mapping_at(at);
    if (!mapping || mapping->at != at || mapping->bytes > end - at) return 0;
    at += mapping->bytes;
  }
  return 1;
}
static struct reservation *reserve(size_t bytes, size_t alignment, CUdeviceptr hint) {
  size_t slack = bytes + alignment;
  char *place = mmap((void *)(uintptr_t)hint, slack, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (place == MAP_FAILED) return NULL;
  CUdeviceptr at = ((uintptr_t)place + alignment - 1) / alignment * alignment;
  size_t before = at - (uintptr_t)place;
  if (before) munmap(place, before);
  if (slack - before > bytes) munmap((void *)(uintptr_t)(at + bytes), slack - before - bytes);
  struct reservation *made = calloc(1, sizeof *made);
  *made = (struct reservation){.at = at, .bytes = bytes, .next = reservations};
  return reservations = made;
}
static void unreserve(struct reservation *gone) {
  for (struct reservation **at = &reservations; *at; at = &(*at)->next)
    if (*at == gone) { *at = gone->next; break; }
  munmap((void *)(uintptr_t)gone->at, gone->bytes);
  free(gone);
}
static struct mapping *map(CUdeviceptr at, size_t bytes, struct memory *memory) {
  struct mapping *made = calloc(1, sizeof *made);
  *made = (struct mapping){.at = at, .bytes = bytes, .memory = memory, .next = mappings};
  memory->mappings++;
  counters->mapped_bytes += bytes;
  return mappings = made;
}
static void unmap(struct mapping *gone) {
  for (struct mapping **at = &mappings; *at; at = &(*at)->next)
    if (*at == gone) { *at = gone->next; break; }
  gone->memory->mappings--;
  counters->mapped_bytes -= gone->bytes;
  free_unneeded(gone->memory);
  free(gone);
}

EXPORT CUresult cuMemAddressReserve(CUdeviceptr *address, size_t bytes, size_t alignment, CUdeviceptr hint,
                                    unsigned long long flags) {
  BEGIN(with_driver("cuMemAddressReserve"));
  if (flags || !is_whole(bytes) || (alignment & (alignment - 1))) FAIL(INVALID_VALUE);
  struct reservation *made = reserve(bytes, alignment > granularity() ? alignment : granularity(), hint);
  if (!made) FAIL(OUT_OF_MEMORY);
  counters->reserved_bytes += bytes;
  *address = made->at;
  END;
}
EXPORT CUresult cuMemAddressFree(CUdeviceptr address, size_t bytes) {
  BEGIN(with_driver("cuMemAddressFree"));
  struct reservation *found = reservation_around(address, bytes);
  if (!found || found->is_allocation || found->at != address || found->bytes != bytes) FAIL(INVALID_VALUE);
  for (struct mapping *mapping = mappings; mapping; mapping = mapping->next)
    if (is_inside(mapping->at, mapping->bytes, address, bytes)) status = INVALID_VALUE;
  if (status) break;
  counters->reserved_bytes -= bytes;
  unreserve(found);
  END;
}
EXPORT CUresult cuMemMap(CUdeviceptr address, size_t bytes, size_t offset, CUmemGenericAllocationHandle handle,
                         unsigned long long flags) {
  BEGIN(with_driver("cuMemMap"));
  struct memory *memory = memory_of(handle);
  struct reservation *around = reservation_around(address, bytes);
  if (flags || offset || !memory || !is_whole(bytes) || bytes > memory->bytes || address % granularity() || !around ||
      around->is_allocation)
    FAIL(INVALID_VALUE);
  for (struct mapping *mapping = mappings; mapping; mapping = mapping->next)
    if (mapping->at < address + bytes && address < mapping->at + mapping->bytes) status = INVALID_VALUE;
  if (status) break;
  map(address, bytes, memory);
  END;
}
EXPORT CUresult cuMemUnmap(CUdeviceptr address, size_t bytes) {
  BEGIN(with_driver("cuMemUnmap"));
  struct reservation *around = reservation_around(address, bytes);
  if (!is_whole(bytes) || !around || around->is_allocation || !is_mapped_whole(address, bytes)) FAIL(INVALID_VALUE);
  for (CUdeviceptr at = address; at < address + bytes;) {
    struct mapping *mapping = mapping_at(at);
    at += mapping->bytes;
    unmap(mapping);
  }
  END;
}
EXPORT CUresult cuMemSetAccess(CUdeviceptr address, size_t bytes, const CUmemAccessDesc *descriptors, size_t count) {
  BEGIN(with_driver("cuMemSetAccess"));
  if (!is_whole(bytes) || !descriptors || !is_mapped_whole(address, bytes)) FAIL(INVALID_VALUE);
  for (size_t i = 0; i < count; i++) {
    int flags = descriptors[i].flags;
    if (descriptors[i].location.type != 1 || (flags != 0 && flags != 1 && flags != 3)) status = INVALID_VALUE;
    else if (descriptors[i].location.id < 0 || descriptors[i].location.id >= gpu_count()) status = INVALID_DEVICE;
  }
  if (status) break;
  for (CUdeviceptr at = address; at < address + bytes;) {
    struct mapping *mapping = mapping_at(at);
    for (size_t i = 0; i < count; i++)
      mapping->access[descriptors[i].location.id] = (unsigned char)descriptors[i].flags;
    at += mapping->bytes;
  }
  END;
}
EXPORT CUresult cuMemGetAccess(unsigned long long *flags, const CUmemLocation *location, CUdeviceptr address) {
  BEGIN(with_driver("cuMemGetAccess"));
  struct mapping *mapping = mapping_at(address);
  if (!mapping || location->type != 1 || location->id < 0 || location->id >= gpu_count()) FAIL(INVALID_VALUE);
  *flags = mapping->access[location->id];
  END;
}
EXPORT CUresult cuMemRetainAllocationHandle(CUmemGenericAllocationHandle *handle, void *address) {
  BEGIN(with_driver("cuMemRetainAllocationHandle"));
  struct mapping *mapping = mapping_at((uintptr_t)address);
  if (!mapping) FAIL(INVALID_VALUE);
  mapping->memory->handles++;
  counters->handles++;
  *handle = (uintptr_t)mapping->memory;
  END;
}

EXPORT CUresult cuMemGetInfo_v2(size_t *free, size_t *total) {
  BEGIN(with_context("cuMemGetInfo_v2"));
  int gpu = current()->gpu;
  size_t used = used_bytes(gpu);
  *total = total_bytes(gpu);
  *free = used > *total ? 0 : *total - used;
  END;
}
EXPORT CUresult cuMemAlloc_v2(CUdeviceptr *address, size_t bytes) {
  BEGIN(with_context("cuMemAlloc_v2"));
  int gpu = current()->gpu;
  size_t whole = (bytes + granularity() - 1) / granularity() * granularity();
  if (bytes == 0) FAIL(INVALID_VALUE);
  if (!has_room(gpu, whole)) FAIL(OUT_OF_MEMORY);
  CUmemAllocationProp prop = {.type = 1, .location = {1, gpu}};
  struct memory *memory = create(gpu, whole, &prop);
  struct reservation *place = memory ? reserve(whole, granularity(), 0) : NULL;
  if (!place) FAIL(OUT_OF_MEMORY);
  place->is_allocation = 1;
  memset(map(place->at, whole, memory)->access, 3, GPUS);
  *address = place->at;
  END;
}
EXPORT CUresult cuMemFree_v2(CUdeviceptr address) {
  BEGIN(with_context("cuMemFree_v2"));
  struct reservation *place = reservation_around(address, 1);
  if (!place || !place->is_allocation || place->at != address) FAIL(INVALID_VALUE);
  unmap(mapping_at(address));
  unreserve(place);
  END;
}

/* ---- host memory ---- */

static struct pinned **pin_at(void *address) {
  struct pinned **at = &pins;
  while (*at && (*at)->at != (char *)address) at = &(*at)->next;
  return at;
}
static void pin(char *at, size_t bytes, int is_ours) {
  struct pinned *made = calloc(1, sizeof *made);
  *made = (struct pinned){.at = at, .bytes = bytes, .is_ours = is_ours, .next = pins};
  pins = made;
  counters->pinned_bytes += bytes;
}
static void unpin(struct pinned **at) {
  struct pinned *gone = *at;
  *at = gone->next;
  counters->pinned_bytes -= gone->bytes;
  if (gone->is_ours) munmap(gone->at, gone->bytes);
  free(gone);
}
EXPORT CUresult cuMemHostAlloc(void **address, size_t bytes, unsigned flags) {
  BEGIN(with_context("cuMemHostAlloc"));
  if (bytes == 0 || flags > 7) FAIL(INVALID_VALUE);
  void *place = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (place == MAP_FAILED) FAIL(OUT_OF_MEMORY);
  pin(place, bytes, 1);
  *address = place;
  END;
}
EXPORT CUresult cuMemFreeHost(void *address) {
  BEGIN(with_context("cuMemFreeHost"));
  struct pinned **at = pin_at(address);
  if (!*at || !(*at)->is_ours) FAIL(INVALID_VALUE);
  unpin(at);
  END;
}
EXPORT CUresult cuMemHostRegister_v2(void *address, size_t bytes, unsigned flags) {
  BEGIN(with_context("cuMemHostRegister_v2"));
  if (!address || bytes == 0 || flags > 15) FAIL(INVALID_VALUE);
  for (struct pinned *other = pins; other; other = other->next)
    if (other->at < (char *)address + bytes && (char *)address < other->at + other->bytes) status = ALREADY_REGISTERED;
  if (status) break;
  pin(address, bytes, 0);
  END;
}
EXPORT CUresult cuMemHostUnregister(void *address) {
  BEGIN(with_context("cuMemHostUnregister"));
  struct pinned **at = pin_at(address);
  if (!*at || (*at)->is_ours) FAIL(NOT_REGISTERED);
  unpin(at);
  END;
}

/* ---- copies and streams ---- */

/* Where some bytes of a device address lie, and how many of them lie there together; 0 when the GPU may not touch them. */
static size_t locate(CUdeviceptr at, size_t bytes, int gpu, int access, int *fd, off_t *offset) {
  struct mapping *mapping = mapping_at(at);
  if (!mapping || (mapping->access[gpu] & access) != access) return 0;
  size_t into = at - mapping->at, left = mapping->bytes - into;
  *fd = mapping->memory->fd;
  *offset = mapping->memory->at + (off_t)into;
  return bytes < left ? bytes : left;
}
static int transfer(CUdeviceptr at, char *host, size_t bytes, int gpu, int is_write) {
  while (bytes > 0) {
    int fd;
    off_t offset;
    size_t part = locate(at, bytes, gpu, is_write ? 3 : 1, &fd, &offset);
    if (part == 0) return 0;
    ssize_t moved = is_write ? pwrite(fd, host, part, offset) : pread(fd, host, part, offset);
    if (moved != (ssize_t)part) return 0;
    at += part, host += part, bytes -= part;
  }
  return 1;
}
static int carry_out(const struct work *work, int gpu) {
  counters->copies++;
  if (work->kind == HTOD) return transfer(work->to, work->host, work->bytes, gpu, 1);
  if (work->kind == DTOH) return transfer(work->from, work->host, work->bytes, gpu, 0);
  if (work->kind == DTOD) {
    char *between = malloc(work->bytes);
    int is_good = transfer(work->from, between, work->bytes, gpu, 0) && transfer(work->to, between, work->bytes, gpu, 1);
    free(between);
    return is_good;
  }
  CUdeviceptr at = work->to;
  for (size_t left = work->bytes; left > 0;) {
    int fd;
    off_t offset;
    size_t part = locate(at, left, gpu, 3, &fd, &offset);
    if (part == 0) return 0;
    fill(fd, offset, part, &work->fill, 4);
    at += part, left -= part;
  }
  return 1;
}
/* Does the first piece of work in a stream. A fault is for ever, as on a GPU. */
static void advance(CUstream stream) {
  struct work *work = stream->first;
  stream->first = work->next;
  if (!stream->first) stream->last = &stream->first;
  if (work->kind == MARK) {
    work->event->done = work->ticket;
    clock_gettime(CLOCK_MONOTONIC, &work->event->at);
  } else if (!dead && !carry_out(work, stream->gpu)) {
    dead = ILLEGAL_ADDRESS;
  }
  free(work);
}
static void drain(CUstream stream) {
  while (stream->first) advance(stream);
}
/* The default stream waits for all that are not non-blocking. */
static void drain_for_default(CUcontext context) {
  drain(&context->null_stream);
  for (CUstream stream = streams; stream; stream = stream->next)
    if (stream->gpu == context->gpu && !(stream->flags & 1)) drain(stream);
}
static CUstream real(CUstream stream) {
  if (!stream) return &current()->null_stream;
  for (CUstream known = streams; known; known = known->next)
    if (known == stream) return known;
  return NULL;
}
static void append(CUstream stream, struct work work) {
  struct work *made = malloc(sizeof *made);
  *made = work;
  made->next = NULL;
  *stream->last = made;
  stream->last = &made->next;
  stream->polls = (int)number(1, "polls");
}
static CUresult now(struct work work) {
  if (work.bytes == 0) return SUCCESS;
  CUdeviceptr at = work.kind == DTOH ? work.from : work.to;
  if (!reservation_around(at, work.bytes)) return INVALID_VALUE;
  if (work.kind == DTOD && !reservation_around(work.from, work.bytes)) return INVALID_VALUE;
  drain_for_default(current());
  if (dead) return dead;
  return carry_out(&work, current()->gpu) ? SUCCESS : (dead = ILLEGAL_ADDRESS);
}
static CUresult later(struct work work, CUstream stream) {
  stream = real(stream);
  if (!stream) return INVALID_HANDLE;
  if (work.bytes > 0) append(stream, work);
  return SUCCESS;
}
#define COPY(name, then, parameters, ...)                                                                             \
  EXPORT CUresult name parameters {                                                                                   \
    BEGIN(with_context(#name));                                                                                       \
    status = then;                                                                                                    \
    END;                                                                                                              \
  }
#define WORK(...) ((struct work){__VA_ARGS__})
COPY(cuMemcpyHtoD_v2, now(WORK(.kind = HTOD, .to = to, .host = (void *)from, .bytes = bytes)),
     (CUdeviceptr to, const void *from, size_t bytes))
COPY(cuMemcpyDtoH_v2, now(WORK(.kind = DTOH, .from = from, .host = to, .bytes = bytes)),
     (void *to, CUdeviceptr from, size_t bytes))
COPY(cuMemcpyDtoD_v2, now(WORK(.kind = DTOD, .to = to, .from = from, .bytes = bytes)),
     (CUdeviceptr to, CUdeviceptr from, size_t bytes))
COPY(cuMemcpyHtoDAsync_v2, later(WORK(.kind = HTOD, .to = to, .host = (void *)from, .bytes = bytes), stream),
     (CUdeviceptr to, const void *from, size_t bytes, CUstream stream))
COPY(cuMemcpyDtoHAsync_v2, later(WORK(.kind = DTOH, .from = from, .host = to, .bytes = bytes), stream),
     (void *to, CUdeviceptr from, size_t bytes, CUstream stream))
COPY(cuMemcpyDtoDAsync_v2, later(WORK(.kind = DTOD, .to = to, .from = from, .bytes = bytes), stream),
     (CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream))
COPY(cuMemsetD8_v2, now(WORK(.kind = SET8, .to = at, .fill = value * 0x01010101u, .bytes = count)),
     (CUdeviceptr at, unsigned char value, size_t count))
COPY(cuMemsetD32_v2, at % 4 ? INVALID_VALUE : now(WORK(.kind = SET32, .to = at, .fill = value, .bytes = count * 4)),
     (CUdeviceptr at, unsigned value, size_t count))
COPY(cuMemsetD8Async, later(WORK(.kind = SET8, .to = at, .fill = value * 0x01010101u, .bytes = count), stream),
     (CUdeviceptr at, unsigned char value, size_t count, CUstream stream))

EXPORT CUresult cuCtxSynchronize(void) {
  BEGIN(with_context("cuCtxSynchronize"));
  counters->waits++;
  drain(&current()->null_stream);
  for (CUstream stream = streams; stream; stream = stream->next)
    if (stream->gpu == current()->gpu) drain(stream);
  status = dead;
  END;
}
EXPORT CUresult cuStreamCreate(CUstream *out, unsigned flags) {
  BEGIN(with_context("cuStreamCreate"));
  if (flags > 1) FAIL(INVALID_VALUE);
  CUstream stream = calloc(1, sizeof *stream);
  *stream = (struct CUstream_st){.flags = flags, .gpu = current()->gpu, .next = streams};
  stream->last = &stream->first;
  counters->streams++;
  *out = streams = stream;
  END;
}
EXPORT CUresult cuStreamDestroy_v2(CUstream stream) {
  BEGIN(with_context("cuStreamDestroy_v2"));
  CUstream *at = &streams;
  while (*at && *at != stream) at = &(*at)->next;
  if (!*at) FAIL(INVALID_HANDLE);
  drain(stream);
  *at = stream->next;
  for (CUevent event = events; event; event = event->next)
    if (event->stream == stream) event->stream = NULL;
  free(stream);
  counters->streams--;
  END;
}
EXPORT CUresult cuStreamSynchronize(CUstream stream) {
  BEGIN(with_context("cuStreamSynchronize"));
  counters->waits++;
  stream = real(stream);
  if (!stream) FAIL(INVALID_HANDLE);
  if (stream == &current()->null_stream) drain_for_default(current());
  else drain(stream);
  status = dead;
  END;
}
EXPORT CUresult cuStreamQuery(CUstream stream) {
  BEGIN(with_context("cuStreamQuery"));
  stream = real(stream);
  if (!stream) FAIL(INVALID_HANDLE);
  if (stream->first && stream->polls-- > 0) FAIL(NOT_READY);
  drain(stream);
  status = dead;
  END;
}
static CUevent known(CUevent event) {
  CUevent found = events;
  while (found && found != event) found = found->next;
  return found;
}
EXPORT CUresult cuEventCreate(CUevent *out, unsigned flags) {
  BEGIN(with_context("cuEventCreate"));
  if (flags > 7) FAIL(INVALID_VALUE);
  CUevent event = calloc(1, sizeof *event);
  *event = (struct CUevent_st){.flags = flags, .next = events};
  counters->events++;
  *out = events = event;
  END;
}
static void run_to(CUevent event) {
  while (event->stream && event->done < event->asked && event->stream->first) advance(event->stream);
}
EXPORT CUresult cuEventDestroy_v2(CUevent event) {
  BEGIN(with_context("cuEventDestroy_v2"));
  CUevent *at = &events;
  while (*at && *at != event) at = &(*at)->next;
  if (!*at) FAIL(INVALID_HANDLE);
  run_to(event);
  *at = event->next;
  free(event);
  counters->events--;
  END;
}
EXPORT CUresult cuEventRecord(CUevent event, CUstream stream) {
  BEGIN(with_context("cuEventRecord"));
  stream = real(stream);
  if (!known(event) || !stream) FAIL(INVALID_HANDLE);
  run_to(event);
  event->stream = stream;
  event->polls = (int)number(1, "polls");
  append(stream, WORK(.kind = MARK, .event = event, .ticket = ++event->asked));
  END;
}
EXPORT CUresult cuEventSynchronize(CUevent event) {
  BEGIN(with_context("cuEventSynchronize"));
  if (!known(event)) FAIL(INVALID_HANDLE);
  run_to(event);
  status = dead;
  END;
}
EXPORT CUresult cuEventQuery(CUevent event) {
  BEGIN(with_context("cuEventQuery"));
  if (!known(event)) FAIL(INVALID_HANDLE);
  if (event->done < event->asked && event->polls-- > 0) FAIL(NOT_READY);
  run_to(event);
  status = dead;
  END;
}
EXPORT CUresult cuEventElapsedTime(float *ms, CUevent from, CUevent to) {
  BEGIN(with_context("cuEventElapsedTime"));
  if (!known(from) || !known(to) || ((from->flags | to->flags) & 2) || !from->asked || !to->asked) FAIL(INVALID_HANDLE);
  if (from->done < from->asked || to->done < to->asked) FAIL(NOT_READY);
  *ms = (float)((double)(to->at.tv_sec - from->at.tv_sec) * 1e3 + (double)(to->at.tv_nsec - from->at.tv_nsec) / 1e6);
  END;
}

/* ---- names ---- */

/* Under the bare names the library has functions of another age. Whoever binds them has lost. */
#define TRAP(name) EXPORT CUresult name(void) { return counters->wrong_abi_calls++, 999; }
TRAP(cuDeviceTotalMem) TRAP(cuCtxPushCurrent) TRAP(cuCtxPopCurrent) TRAP(cuMemGetInfo) TRAP(cuMemAlloc) TRAP(cuMemFree)
TRAP(cuMemHostRegister) TRAP(cuMemcpyHtoD) TRAP(cuMemcpyDtoH) TRAP(cuMemcpyDtoD) TRAP(cuMemcpyHtoDAsync)
TRAP(cuMemcpyDtoHAsync) TRAP(cuMemcpyDtoDAsync) TRAP(cuMemsetD8) TRAP(cuMemsetD32) TRAP(cuStreamDestroy)
TRAP(cuEventDestroy)

/* These differ from the versioned ones in meaning alone. */
EXPORT CUresult cuDeviceGetUuid(CUuuid *uuid, CUdevice device) { return cuDeviceGetUuid_v2(uuid, device); }
EXPORT CUresult cuDevicePrimaryCtxRelease(CUdevice device) { return cuDevicePrimaryCtxRelease_v2(device); }
EXPORT CUresult cuDevicePrimaryCtxSetFlags(CUdevice device, unsigned flags) {
  return cuDevicePrimaryCtxSetFlags_v2(device, flags);
}

static const struct { const char *name; int since; void *function; } functions[] = {
#define NEW(name, since) {#name, since, (void *)name##_v2}
    NEW(cuDeviceGetUuid, 11040), NEW(cuDeviceTotalMem, 3020), NEW(cuDevicePrimaryCtxRelease, 11000),
    NEW(cuDevicePrimaryCtxSetFlags, 11000), NEW(cuCtxPushCurrent, 4000), NEW(cuCtxPopCurrent, 4000),
    NEW(cuMemGetInfo, 3020), NEW(cuMemAlloc, 3020), NEW(cuMemFree, 3020), NEW(cuMemHostRegister, 6050),
    NEW(cuMemcpyHtoD, 3020), NEW(cuMemcpyDtoH, 3020), NEW(cuMemcpyDtoD, 3020), NEW(cuMemcpyHtoDAsync, 3020),
    NEW(cuMemcpyDtoHAsync, 3020), NEW(cuMemcpyDtoDAsync, 3020), NEW(cuMemsetD8, 3020), NEW(cuMemsetD32, 3020),
    NEW(cuStreamDestroy, 4000), NEW(cuEventDestroy, 4000),
    {"cuMemCreate", 10020, (void *)cuMemCreate}, {"cuMemMap", 10020, (void *)cuMemMap},
};
/* Gives the function that a program built for that CUDA version would call; older versions get the traps. */
EXPORT CUresult cuGetProcAddress_v2(const char *name, void **function, int version, uint64_t flags, int *found) {
  (void)flags;
  *function = NULL;
  if (enter("cuGetProcAddress") || version > (int)number(12040, "driver_version")) return NOT_FOUND;
  for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
    if (strcmp(functions[i].name, name) == 0)
      *function = version >= functions[i].since ? functions[i].function : (void *)cuMemAlloc;
  if (found) *found = *function ? 0 : 1;
  return *function ? SUCCESS : NOT_FOUND;
}
