/*
 * A libnvidia-ml.so.1 without a driver behind it: the true names and layouts, the answers read from a text file.
 *
 * KVCTL_TEST_NVML_FILE names the file; it is read again whenever it is replaced. Each line is a key, a blank and a value:
 *   gpus 2                                   how many GPUs there are
 *   nvmlInit_v2 !9                           a call fails with that number
 *   delay.nvmlInit_v2 6000                   a call blocks so many ms before it answers
 *   gpu.0 !15                                every call on the GPU fails so
 *   gpu.0.nvmlDeviceGetName NVIDIA H100      a text or numbers, in the order of the C arguments or fields
 *   gpu.0.nvmlDeviceGetClockInfo.1 1980      a call with a choice carries it in its key
 *   gpu.0.field.82.0 1 45                    field 82, scope 0: value type and value
 *   gpu.0.compute 4242:1048576:-1:-1         processes as pid:bytes:gi:ci (also .graphics, .mps)
 *   gpu.0.samples 4242:100:35:20:0:0         pid:timeStamp:sm:mem:enc:dec
 *   gpu.0.mig.1.nvmlDeviceGetUUID MIG-…      the same for a MIG device
 *   process_record_bytes 32                  record length of the _v2 and _v3 lists
 *   events 0:8:79                            gpu:type:data, each told once after each nvmlInit_v2
 * What the file does not mention answers 3, Not Supported.
 */
#define _GNU_SOURCE
#include "nvml-abi.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define GPUS 16
#define MIGS 8
#define ALL_ONES 0xffffffffffffffffULL

struct Device { int gpu, mig; };
struct EventSet { unsigned gpus; };
static struct Device devices[GPUS][MIGS + 1];
static struct EventSet set;
static size_t events_told;

static void facts_path(char *path, size_t size) {
  const char *given = getenv("KVCTL_TEST_NVML_FILE");
  snprintf(path, size, "%s", given ? given : "/nonexistent");
}
#include "../stand-in/facts.h"

static void prefix_of(nvmlDevice_t device, char *prefix, size_t size) {
  if (device->mig < 0) snprintf(prefix, size, "gpu.%d", device->gpu);
  else snprintf(prefix, size, "gpu.%d.mig.%d", device->gpu, device->mig);
}

static void delay(const char *key) {
  const char *ms = value("delay.%s", key);
  if (!ms) return;
  struct timespec pause = {atol(ms) / 1000, atol(ms) % 1000 * 1000000L};
  nanosleep(&pause, NULL);
}

static nvmlReturn_t failure(const char *found) {
  if (!found) return 3;
  return found[0] == '!' ? atoi(found + 1) : 0;
}

/* A call on no GPU: waits if told to, and fails only if told to. */
static nvmlReturn_t global(const char *call) {
  delay(call);
  const char *found = value("%s", call);
  return found && found[0] == '!' ? atoi(found + 1) : 0;
}

/* What the file says about a call on a device; *status is 3 where it says nothing. */
static const char *ask(nvmlDevice_t device, nvmlReturn_t *status, const char *format, ...) {
  char prefix[64], call[128], key[200];
  va_list arguments;
  if (!device) return *status = 2, NULL;
  va_start(arguments, format);
  vsnprintf(call, sizeof call, format, arguments);
  va_end(arguments);
  prefix_of(device, prefix, sizeof prefix);
  snprintf(key, sizeof key, "%s.%s", prefix, call);
  delay(key);
  char gpu[32];
  snprintf(gpu, sizeof gpu, "gpu.%d", device->gpu);
  const char *whole = value("%s", gpu);
  if (whole && whole[0] == '!') return *status = atoi(whole + 1), NULL;
  const char *found = value("%s", key);
  *status = failure(found);
  return found;
}

static nvmlReturn_t copy(const char *found, char *out, unsigned size) {
  if (strlen(found) >= size) return 7;
  strcpy(out, found);
  return 0;
}

/* Up to six numbers of a value. */
static void numbers(const char *found, unsigned long long *out, int count) {
  char *at = (char *)found;
  for (int i = 0; i < count; i++) out[i] = strtoull(at, &at, 10);
}

nvmlReturn_t nvmlInit_v2(void) {
  for (int gpu = 0; gpu < GPUS; gpu++)
    for (int mig = 0; mig <= MIGS; mig++) devices[gpu][mig] = (struct Device){gpu, mig - 1};
  events_told = 0;
  return global("nvmlInit_v2");
}
nvmlReturn_t nvmlShutdown(void) { return global("nvmlShutdown"); }

static nvmlReturn_t global_text(const char *call, char *out, unsigned size) {
  nvmlReturn_t status = global(call);
  const char *found = value("%s", call);
  return status ? status : found ? copy(found, out, size) : 3;
}
nvmlReturn_t nvmlSystemGetDriverVersion(char *out, unsigned size) {
  return global_text("nvmlSystemGetDriverVersion", out, size);
}
nvmlReturn_t nvmlSystemGetNVMLVersion(char *out, unsigned size) {
  return global_text("nvmlSystemGetNVMLVersion", out, size);
}
nvmlReturn_t nvmlSystemGetCudaDriverVersion_v2(int *out) {
  nvmlReturn_t status = global("nvmlSystemGetCudaDriverVersion_v2");
  const char *found = value("nvmlSystemGetCudaDriverVersion_v2");
  if (!status && !found) return 3;
  if (!status) *out = atoi(found);
  return status;
}
nvmlReturn_t nvmlDeviceGetCount_v2(unsigned *out) {
  nvmlReturn_t status = global("nvmlDeviceGetCount_v2");
  const char *found = value("gpus");
  if (!status) *out = found ? atoi(found) : 0;
  return status;
}
nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned index, nvmlDevice_t *out) {
  unsigned count;
  nvmlReturn_t status = nvmlDeviceGetCount_v2(&count);
  if (status) return status;
  if (index >= count || index >= GPUS) return 2;
  const char *lost = value("gpu.%u.handle", index);
  if (lost) return failure(lost);
  *out = &devices[index][0];
  return 0;
}
nvmlReturn_t nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *out) {
  for (int gpu = 0; gpu < GPUS; gpu++)
    for (int mig = 0; mig <= MIGS; mig++) {
      char prefix[64];
      prefix_of(&devices[gpu][mig], prefix, sizeof prefix);
      const char *found = value("%s.nvmlDeviceGetUUID", prefix);
      if (found && strcmp(found, uuid) == 0) return *out = &devices[gpu][mig], 0;
    }
  return 6;
}

#define TEXT(call)                                                                                                   \
  nvmlReturn_t call(nvmlDevice_t device, char *out, unsigned size) {                                                 \
    nvmlReturn_t status;                                                                                             \
    const char *found = ask(device, &status, #call);                                                                 \
    return status ? status : copy(found, out, size);                                                                 \
  }
TEXT(nvmlDeviceGetName) TEXT(nvmlDeviceGetUUID) TEXT(nvmlDeviceGetSerial) TEXT(nvmlDeviceGetVbiosVersion)

#define U32(call)                                                                                                    \
  nvmlReturn_t call(nvmlDevice_t device, unsigned *out) {                                                            \
    nvmlReturn_t status;                                                                                             \
    const char *found = ask(device, &status, #call);                                                                 \
    if (!status) *out = strtoul(found, NULL, 10);                                                                    \
    return status;                                                                                                   \
  }
U32(nvmlDeviceGetMinorNumber) U32(nvmlDeviceGetArchitecture) U32(nvmlDeviceGetPowerUsage)
U32(nvmlDeviceGetEnforcedPowerLimit) U32(nvmlDeviceGetPowerManagementLimit) U32(nvmlDeviceGetFanSpeed)
U32(nvmlDeviceGetPerformanceState) U32(nvmlDeviceGetCurrPcieLinkGeneration) U32(nvmlDeviceGetCurrPcieLinkWidth)
U32(nvmlDeviceGetMaxPcieLinkGeneration) U32(nvmlDeviceGetMaxPcieLinkWidth) U32(nvmlDeviceGetPcieReplayCounter)
U32(nvmlDeviceGetPersistenceMode) U32(nvmlDeviceGetComputeMode) U32(nvmlDeviceGetRetiredPagesPendingStatus)
U32(nvmlDeviceGetNumaNodeId) U32(nvmlDeviceGetMaxMigDeviceCount) U32(nvmlDeviceGetGpuInstanceId)
U32(nvmlDeviceGetComputeInstanceId)

#define U64(call)                                                                                                    \
  nvmlReturn_t call(nvmlDevice_t device, unsigned long long *out) {                                                  \
    nvmlReturn_t status;                                                                                             \
    const char *found = ask(device, &status, #call);                                                                 \
    if (!status) *out = strtoull(found, NULL, 10);                                                                   \
    return status;                                                                                                   \
  }
U64(nvmlDeviceGetTotalEnergyConsumption) U64(nvmlDeviceGetCurrentClocksEventReasons)
U64(nvmlDeviceGetCurrentClocksThrottleReasons) U64(nvmlDeviceGetSupportedEventTypes)

#define PAIR(call)                                                                                                   \
  nvmlReturn_t call(nvmlDevice_t device, unsigned *one, unsigned *two) {                                             \
    nvmlReturn_t status;                                                                                             \
    unsigned long long both[2];                                                                                      \
    const char *found = ask(device, &status, #call);                                                                 \
    if (status) return status;                                                                                       \
    numbers(found, both, 2);                                                                                         \
    *one = both[0];                                                                                                  \
    *two = both[1];                                                                                                  \
    return 0;                                                                                                        \
  }
PAIR(nvmlDeviceGetCudaComputeCapability) PAIR(nvmlDeviceGetEncoderUtilization) PAIR(nvmlDeviceGetDecoderUtilization)
PAIR(nvmlDeviceGetJpgUtilization) PAIR(nvmlDeviceGetOfaUtilization) PAIR(nvmlDeviceGetEccMode)
PAIR(nvmlDeviceGetMigMode)

#define CHOICE(call)                                                                                                 \
  nvmlReturn_t call(nvmlDevice_t device, int choice, unsigned *out) {                                                \
    nvmlReturn_t status;                                                                                             \
    const char *found = ask(device, &status, #call ".%d", choice);                                                   \
    if (!status) *out = strtoul(found, NULL, 10);                                                                    \
    return status;                                                                                                   \
  }
CHOICE(nvmlDeviceGetTemperature) CHOICE(nvmlDeviceGetTemperatureThreshold) CHOICE(nvmlDeviceGetClockInfo)
CHOICE(nvmlDeviceGetMaxClockInfo)

nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *out) {
  nvmlReturn_t status;
  unsigned long long n[3];
  const char *found = ask(device, &status, "nvmlDeviceGetMemoryInfo");
  if (status) return status;
  numbers(found, n, 3);
  *out = (nvmlMemory_t){.total = n[0], .free = n[1], .used = n[2]};
  return 0;
}
nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t *out) {
  nvmlReturn_t status;
  unsigned long long n[4];
  if (out->version != (sizeof *out | 2u << 24)) return 25;
  const char *found = ask(device, &status, "nvmlDeviceGetMemoryInfo_v2");
  if (status) return status;
  numbers(found, n, 4);
  out->total = n[0], out->reserved = n[1], out->free = n[2], out->used = n[3];
  return 0;
}
nvmlReturn_t nvmlDeviceGetBAR1MemoryInfo(nvmlDevice_t device, nvmlBAR1Memory_t *out) {
  nvmlReturn_t status;
  unsigned long long n[3];
  const char *found = ask(device, &status, "nvmlDeviceGetBAR1MemoryInfo");
  if (status) return status;
  numbers(found, n, 3);
  *out = (nvmlBAR1Memory_t){.bar1Total = n[0], .bar1Free = n[1], .bar1Used = n[2]};
  return 0;
}
nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t *out) {
  nvmlReturn_t status;
  unsigned long long n[2];
  const char *found = ask(device, &status, "nvmlDeviceGetUtilizationRates");
  if (status) return status;
  numbers(found, n, 2);
  *out = (nvmlUtilization_t){.gpu = n[0], .memory = n[1]};
  return 0;
}
nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, nvmlPciInfo_t *out) {
  nvmlReturn_t status;
  const char *found = ask(device, &status, "nvmlDeviceGetPciInfo_v3");
  if (status) return status;
  memset(out, 0, sizeof *out);
  sscanf(found, "%x:%x:%x", &out->domain, &out->bus, &out->device);
  snprintf(out->busIdLegacy, sizeof out->busIdLegacy, "%04X:%02X:%02X.0", out->domain & 0xffff, out->bus & 0xff,
           out->device & 0xff);
  return copy(found, out->busId, sizeof out->busId);
}
nvmlReturn_t nvmlDeviceGetTotalEccErrors(nvmlDevice_t device, int type, int counter, unsigned long long *out) {
  nvmlReturn_t status;
  const char *found = ask(device, &status, "nvmlDeviceGetTotalEccErrors.%d.%d", type, counter);
  if (!status) *out = strtoull(found, NULL, 10);
  return status;
}
nvmlReturn_t nvmlDeviceGetRemappedRows(nvmlDevice_t device, unsigned *corrected, unsigned *uncorrected,
                                       unsigned *pending, unsigned *failed) {
  nvmlReturn_t status;
  unsigned long long n[4];
  const char *found = ask(device, &status, "nvmlDeviceGetRemappedRows");
  if (status) return status;
  numbers(found, n, 4);
  *corrected = n[0], *uncorrected = n[1], *pending = n[2], *failed = n[3];
  return 0;
}
nvmlReturn_t nvmlDeviceGetFieldValues(nvmlDevice_t device, int count, nvmlFieldValue_t *values) {
  nvmlReturn_t status = 0;
  ask(device, &status, "nvmlDeviceGetFieldValues");
  if (status && status != 3) return status;
  for (int i = 0; i < count; i++) {
    nvmlFieldValue_t *field = &values[i];
    const char *found = ask(device, &status, "field.%u.%d", field->fieldId, (int)field->scopeId);
    field->nvmlReturn = status;
    if (status) continue;
    char *at;
    field->valueType = strtoul(found, &at, 10);
    if (field->valueType == 0) field->value.dVal = strtod(at, NULL);
    else if (field->valueType == 1) field->value.uiVal = strtoul(at, NULL, 10);
    else if (field->valueType >= 4) field->value.sllVal = strtoll(at, NULL, 10);
    else field->value.ullVal = strtoull(at, NULL, 10);
  }
  return 0;
}

/* A list as the driver of a branch writes it: records of 16, 24 or 32 bytes, padding untouched. */
static nvmlReturn_t list(nvmlDevice_t device, const char *kind, unsigned *count, void *records, unsigned bytes) {
  nvmlReturn_t status;
  const char *found = ask(device, &status, "%s", kind);
  if (status == 3) found = "", status = 0;
  if (status) return status;
  unsigned there = 0;
  for (const char *at = found; (at = strchr(at, ':')); at++) there++;
  there /= 3;
  unsigned room = *count;
  *count = there;
  if (there > room) return 7;
  const char *at = found;
  for (unsigned i = 0; i < there; i++) {
    char *record = (char *)records + i * bytes, *end;
    unsigned pid = strtoul(at, &end, 10);
    long long used = strtoll(end + 1, &end, 10);
    int gi = strtol(end + 1, &end, 10), ci = strtol(end + 1, &end, 10);
    at = end;
    unsigned long long memory = used < 0 ? ALL_ONES : (unsigned long long)used;
    if (bytes == sizeof(nvmlProcessInfo_v1_t)) {
      nvmlProcessInfo_v1_t *process = (void *)record;
      process->pid = pid, process->usedGpuMemory = memory;
    } else {
      nvmlProcessInfo_v2_t *process = (void *)record;
      process->pid = pid, process->usedGpuMemory = memory;
      process->gpuInstanceId = gi, process->computeInstanceId = ci;
    }
    if (bytes == sizeof(nvmlProcessDetail_v1_t)) ((nvmlProcessDetail_v1_t *)record)->usedGpuCcProtectedMemory = 0;
  }
  return 0;
}
static unsigned record_bytes(void) {
  const char *found = value("process_record_bytes");
  return found ? (unsigned)atoi(found) : sizeof(nvmlProcessInfo_v2_t);
}
#define LIST(call, kind)                                                                                             \
  nvmlReturn_t call##_v3(nvmlDevice_t device, unsigned *count, void *records) {                                      \
    return list(device, kind, count, records, record_bytes());                                                       \
  }                                                                                                                  \
  nvmlReturn_t call##_v2(nvmlDevice_t device, unsigned *count, void *records) {                                      \
    return list(device, kind, count, records, record_bytes());                                                       \
  }                                                                                                                  \
  nvmlReturn_t call(nvmlDevice_t device, unsigned *count, void *records) {                                           \
    return list(device, kind, count, records, sizeof(nvmlProcessInfo_v1_t));                                         \
  }
LIST(nvmlDeviceGetComputeRunningProcesses, "compute")
LIST(nvmlDeviceGetGraphicsRunningProcesses, "graphics")
LIST(nvmlDeviceGetMPSComputeRunningProcesses, "mps")

nvmlReturn_t nvmlDeviceGetProcessUtilization(nvmlDevice_t device, nvmlProcessUtilizationSample_t *out,
                                             unsigned *count, unsigned long long since) {
  nvmlReturn_t status;
  const char *found = ask(device, &status, "samples");
  if (status) return status;
  unsigned there = 0, room = out ? *count : 0;
  char *at = (char *)found;
  while (*at) {
    nvmlProcessUtilizationSample_t sample = {0};
    unsigned long long n[6];
    for (int i = 0; i < 6; i++) n[i] = strtoull(at + (i > 0), &at, 10);
    while (*at == ' ') at++;
    if (n[1] <= since) continue;
    sample.pid = n[0], sample.timeStamp = n[1], sample.smUtil = n[2], sample.memUtil = n[3];
    sample.encUtil = n[4], sample.decUtil = n[5];
    if (there < room) out[there] = sample;
    there++;
  }
  *count = there;
  if (there == 0) return 6;
  return there > room ? 7 : 0;
}

nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t device, unsigned index, nvmlDevice_t *out) {
  if (index >= MIGS || !value("gpu.%d.mig.%u.nvmlDeviceGetUUID", device->gpu, index)) return 6;
  *out = &devices[device->gpu][index + 1];
  return 0;
}
nvmlReturn_t nvmlDeviceGetAttributes_v2(nvmlDevice_t device, nvmlDeviceAttributes_t *out) {
  nvmlReturn_t status;
  unsigned long long n[9];
  const char *found = ask(device, &status, "nvmlDeviceGetAttributes_v2");
  if (status) return status;
  numbers(found, n, 9);
  *out = (nvmlDeviceAttributes_t){n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8]};
  return 0;
}

nvmlReturn_t nvmlEventSetCreate(nvmlEventSet_t *out) {
  *out = &set;
  return global("nvmlEventSetCreate");
}
nvmlReturn_t nvmlEventSetFree(nvmlEventSet_t given) { return given == &set ? 0 : 2; }
nvmlReturn_t nvmlDeviceRegisterEvents(nvmlDevice_t device, unsigned long long mask, nvmlEventSet_t given) {
  unsigned long long supported;
  nvmlReturn_t status = nvmlDeviceGetSupportedEventTypes(device, &supported);
  if (status) return status;
  if (given != &set || (mask & ~supported)) return 2;
  given->gpus |= 1u << device->gpu;
  return 0;
}
nvmlReturn_t nvmlEventSetWait_v2(nvmlEventSet_t given, nvmlEventData_t *out, unsigned timeout_ms) {
  nvmlReturn_t status = global("nvmlEventSetWait_v2");
  const char *at = value("events");
  if (status) return status;
  for (size_t skipped = 0; at && skipped < events_told; skipped++) {
    at = strchr(at, ' ');
    if (at) at++;
  }
  if (at && *at) {
    char *end;
    unsigned gpu = strtoul(at, &end, 10);
    unsigned long long type = strtoull(end + 1, &end, 10), data = strtoull(end + 1, &end, 10);
    events_told++;
    if (given->gpus & 1u << gpu) {
      *out = (nvmlEventData_t){&devices[gpu][0], type, data, 0xffffffff, 0xffffffff};
      return 0;
    }
  }
  struct timespec pause = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
  nanosleep(&pause, NULL);
  return 10;
}

/* Markers by which drivers tell their record lengths; never called. */
nvmlReturn_t nvmlDeviceGetConfComputeMemSizeInfo(nvmlDevice_t device, void *out) { return device && out ? 3 : 2; }
nvmlReturn_t nvmlDeviceGetRunningProcessDetailList(nvmlDevice_t device, void *out) { return device && out ? 3 : 2; }
