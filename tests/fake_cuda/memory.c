/* Cards and memory. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda/kernels.h"
#include "tests/fake_cuda/fake.h"

#define DEVICE_TAG ((uintptr_t)1 << 60) /* set in no address that a process can have */
#define POISON 0xff
#define ALIGNMENT 256
#define ALLOCATIONS_MAX 256
#define CARDS_MAX 64
#define MEBI ((size_t)1 << 20)
#define VERSION 13000 /* CUDA 13.0 */
#define OLD_VERSION 12000

struct allocation {
  char *memory; /* NULL: a free entry */
  size_t bytes;
  bool device;
  int card;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct allocation allocations[ALLOCATIONS_MAX]; /* under `lock` */
static size_t device_used[CARDS_MAX];                  /* under `lock` */

static _Thread_local int current; /* card, as the process numbers them */
static _Thread_local bool is_stream;

void fake_become_stream(int32_t card) {
  current = card;
  is_stream = true;
}

const char *fake_variable(const char *name) {
  if (is_stream) abort();
  return getenv(name);
}

bool fake_lacks(const char *what) {
  const char *missing = fake_variable("FAKE_CUDA_MISSING");
  return missing && strcmp(missing, what) == 0;
}

static long environment_number(const char *name, long otherwise) {
  const char *value = fake_variable(name);
  return value ? strtol(value, NULL, 10) : otherwise;
}

static size_t device_all(void) {
  return (size_t)environment_number("FAKE_CUDA_MEMORY", 4096) * MEBI;
}

/* --- Cards ---------------------------------------------------------------------------------------------- */

cudaError_t cudaDriverGetVersion(int *version) {
  *version = environment_number("FAKE_CUDA_CARDS", 1) < 0                              ? 0
             : environment_number("FAKE_CUDA_COUNT", 0) == cudaErrorInsufficientDriver ? OLD_VERSION
                                                                                       : VERSION;
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *version) {
  *version = VERSION;
  return cudaSuccess;
}

/* Returns the machine's number for a card of this process, or -1 if the process has no such card. As in CUDA,
 * the list of visible cards ends at the first entry that is not a card's number. */
static int machine_card(int device) {
  const char *visible = fake_variable("CUDA_VISIBLE_DEVICES");
  const long cards = environment_number("FAKE_CUDA_CARDS", 1);
  if (!visible) return device >= 0 && device < cards ? device : -1;
  for (int i = 0;; i++) {
    char *end;
    const long card = strtol(visible, &end, 10);
    if (end == visible || card < 0 || card >= cards) return -1;
    if (i == device) return (int)card;
    if (*end != ',') return -1;
    visible = end + 1;
  }
}

int32_t fake_current(void) {
  return current;
}

int32_t fake_card(void) {
  return machine_card(current);
}

cudaError_t cudaGetDeviceCount(int *count) {
  *count = 0;
  if (environment_number("FAKE_CUDA_CARDS", 1) < 0) return cudaErrorInsufficientDriver;
  const long status = environment_number("FAKE_CUDA_COUNT", 0);
  if (status != 0) return (cudaError_t)status;
  while (machine_card(*count) >= 0) (*count)++;
  return *count > 0 ? cudaSuccess : cudaErrorNoDevice;
}

/* The driver's function. */
static int device_uuid(cudaUUID_t *uuid, int device) {
  const int card = machine_card(device);
  if (card < 0) return (int)cudaErrorInvalidDevice;
  *uuid = (cudaUUID_t){{(char)(card + 1), (char)environment_number("FAKE_CUDA_MACHINE", 0)}};
  return 0;
}

cudaError_t cudaGetDriverEntryPointByVersion(const char *symbol, void **function, unsigned int version,
                                             unsigned long long flags,
                                             enum cudaDriverEntryPointQueryResult *result) {
  static int (*const known)(cudaUUID_t *, int) = device_uuid;
  if (strcmp(symbol, "cuDeviceGetUuid") != 0 || version < 11040 || flags != cudaEnableDefault)
    return cudaErrorInvalidValue;
  const bool found = !fake_lacks(symbol);
  *result = found ? cudaDriverEntryPointSuccess : cudaDriverEntryPointSymbolNotFound;
  if (found) memcpy(function, &known, sizeof known);
  return cudaSuccess;
}

/* The cards look like instances of one GPU: the runtime gives that GPU's uuid, the driver gives each card's
 * own. */
cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *properties, int device) {
  const char *capability = fake_variable("FAKE_CUDA_CAPABILITY");
  const int card = machine_card(device);
  if (card < 0 || card == environment_number("FAKE_CUDA_FAULTY", -1)) return cudaErrorInvalidDevice;
  *properties = (struct cudaDeviceProp){.totalGlobalMem = device_all(),
                                        .major = 9,
                                        .minor = 0,
                                        .multiProcessorCount = 132,
                                        .uuid = {{(char)0xee}},
                                        .pciBusID = card + 1};
  strcpy(properties->name, "Fake card");
  if (capability && sscanf(capability, "%d.%d", &properties->major, &properties->minor) != 2)
    return cudaErrorInvalidValue;
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
  if (fake_lacks("permission")) return cudaErrorDevicesUnavailable;
  if (machine_card(device) < 0 || device >= CARDS_MAX) return cudaErrorInvalidDevice;
  current = device;
  fake_add(FAKE_TURNS, 1);
  return fake_sticky();
}

cudaError_t kernel_image_check(void) {
  const cudaError_t status = (cudaError_t)environment_number("FAKE_CUDA_IMAGE", cudaSuccess);
  if (status != cudaSuccess) return status;
  return fake_lacks("kernels") ? cudaErrorNoKernelImageForDevice : fake_sticky();
}

cudaError_t cudaGetLastError(void) {
  return fake_sticky();
}

const char *cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "cudaSuccess";
    case cudaErrorInvalidValue:
      return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation:
      return "cudaErrorMemoryAllocation";
    case cudaErrorInsufficientDriver:
      return "cudaErrorInsufficientDriver";
    case cudaErrorNoDevice:
      return "cudaErrorNoDevice";
    case cudaErrorSystemNotReady:
      return "cudaErrorSystemNotReady";
    case cudaErrorSystemDriverMismatch:
      return "cudaErrorSystemDriverMismatch";
    case cudaErrorInvalidDevice:
      return "cudaErrorInvalidDevice";
    case cudaErrorDevicesUnavailable:
      return "cudaErrorDevicesUnavailable";
    case cudaErrorNoKernelImageForDevice:
      return "cudaErrorNoKernelImageForDevice";
    case cudaErrorInvalidDeviceFunction:
      return "cudaErrorInvalidDeviceFunction";
    case cudaErrorInvalidPtx:
      return "cudaErrorInvalidPtx";
    case cudaErrorJitCompilerNotFound:
      return "cudaErrorJitCompilerNotFound";
    case cudaErrorUnsupportedPtxVersion:
      return "cudaErrorUnsupportedPtxVersion";
    case cudaErrorJitCompilationDisabled:
      return "cudaErrorJitCompilationDisabled";
    case cudaErrorECCUncorrectable:
      return "cudaErrorECCUncorrectable";
    case cudaErrorInvalidResourceHandle:
      return "cudaErrorInvalidResourceHandle";
    case cudaErrorNotReady:
      return "cudaErrorNotReady";
    case cudaErrorIllegalAddress:
      return "cudaErrorIllegalAddress";
    case cudaErrorLaunchFailure:
      return "cudaErrorLaunchFailure";
  }
  return "unknown";
}

const char *cudaGetErrorString(cudaError_t error) {
  return error == cudaSuccess ? "no error" : "as the fake CUDA has it";
}

/* --- Memory --------------------------------------------------------------------------------------------- */

static cudaError_t allocate(void **address, size_t bytes, bool device) {
  int free_entry = -1;
  char *memory = NULL;
  pthread_mutex_lock(&lock);
  for (int i = 0; i < ALLOCATIONS_MAX; i++)
    if (!allocations[i].memory) free_entry = i;
  if (bytes > 0 && free_entry >= 0 && (!device || bytes <= device_all() - device_used[current]))
    memory = aligned_alloc(ALIGNMENT, (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
  if (memory) {
    memset(memory, POISON, bytes);
    allocations[free_entry] = (struct allocation){memory, bytes, device, current};
    if (device) device_used[current] += bytes;
    *address = (void *)((uintptr_t)memory | (device ? DEVICE_TAG : 0));
  }
  pthread_mutex_unlock(&lock);
  return memory ? fake_sticky() : cudaErrorMemoryAllocation;
}

static cudaError_t release(const void *address, bool device) {
  char *const memory = (char *)((uintptr_t)address & ~DEVICE_TAG);
  cudaError_t status = memory ? cudaErrorInvalidValue : cudaSuccess;
  pthread_mutex_lock(&lock);
  for (int i = 0; memory && i < ALLOCATIONS_MAX; i++) {
    if (allocations[i].memory != memory || allocations[i].device != device) continue;
    if (device) device_used[allocations[i].card] -= allocations[i].bytes;
    allocations[i].memory = NULL;
    free(memory);
    status = fake_sticky();
  }
  pthread_mutex_unlock(&lock);
  return status;
}

#define ANY_CARD -1

/* Whether the bytes are inside one allocation, with this kind and on this card. */
static bool is_inside(const char *memory, size_t bytes, bool device, int card) {
  bool inside = false;
  pthread_mutex_lock(&lock);
  for (int i = 0; i < ALLOCATIONS_MAX; i++) {
    const struct allocation *at = &allocations[i];
    if (at->memory && at->device == device && (card == ANY_CARD || at->card == card) &&
        memory >= at->memory && (size_t)(memory - at->memory) <= at->bytes &&
        bytes <= at->bytes - (size_t)(memory - at->memory))
      inside = true;
  }
  pthread_mutex_unlock(&lock);
  return inside;
}

static void *device_memory(const void *address, size_t bytes, int card) {
  if (!((uintptr_t)address & DEVICE_TAG)) return NULL;
  char *const memory = (char *)((uintptr_t)address & ~DEVICE_TAG);
  return is_inside(memory, bytes, true, card) ? memory : NULL;
}

void *fake_device(const void *address, size_t bytes) {
  return device_memory(address, bytes, current);
}

cudaError_t cudaMalloc(void **memory, size_t bytes) {
  fake_add(FAKE_DEVICE_ALLOCATIONS, 1);
  return allocate(memory, bytes, true);
}

cudaError_t cudaFree(void *memory) {
  fake_add(FAKE_DEVICE_FREES, 1);
  return release(memory, true);
}

cudaError_t cudaMallocHost(void **memory, size_t bytes) {
  fake_add(FAKE_HOST_ALLOCATIONS, 1);
  return allocate(memory, bytes, false);
}

cudaError_t cudaFreeHost(void *memory) {
  fake_add(FAKE_HOST_FREES, 1);
  return release(memory, false);
}

cudaError_t cudaMemGetInfo(size_t *available, size_t *all) {
  pthread_mutex_lock(&lock);
  *all = device_all();
  *available = *all - device_used[current];
  pthread_mutex_unlock(&lock);
  return fake_sticky();
}

struct copy {
  void *to;
  const void *from;
  size_t bytes;
  enum cudaMemcpyKind kind;
};

static cudaError_t copy_run(const void *arguments) {
  const struct copy *copy = arguments;
  void *to = copy->to;
  const void *from = copy->from;
  if (copy->kind != cudaMemcpyDeviceToHost) to = device_memory(to, copy->bytes, ANY_CARD);
  if (copy->kind != cudaMemcpyHostToDevice) from = device_memory(from, copy->bytes, ANY_CARD);
  if (!to || !from) return cudaErrorIllegalAddress;
  memcpy(to, from, copy->bytes);
  return cudaSuccess;
}

static bool is_pinned_or_device(const void *address, size_t bytes, bool device) {
  return device ? device_memory(address, bytes, ANY_CARD) != NULL
                : is_inside(address, bytes, false, ANY_CARD);
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind,
                            cudaStream_t stream) {
  const struct copy copy = {to, from, bytes, kind};
  if (!is_pinned_or_device(from, bytes, kind != cudaMemcpyHostToDevice) ||
      !is_pinned_or_device(to, bytes, kind != cudaMemcpyDeviceToHost))
    return cudaErrorInvalidValue;
  if (kind != cudaMemcpyDeviceToDevice) {
    const bool up = kind == cudaMemcpyHostToDevice;
    fake_add(up ? FAKE_COPIES_UP : FAKE_COPIES_DOWN, 1);
    fake_add(up ? FAKE_BYTES_UP : FAKE_BYTES_DOWN, (int64_t)bytes);
  }
  return fake_enqueue(stream, copy_run, &copy, sizeof copy);
}
