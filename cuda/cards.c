#include "cuda/cards.h"

#include <cuda_runtime_api.h>
#include <stdio.h>
#include <string.h>

#include "cuda/check.h"
#include "cuda/gemm.h"

/* CUDA's version numbers are 1000 · major + 10 · minor. */
static int version_major(int version) {
  return version / 1000;
}
static int version_minor(int version) {
  return version % 1000 / 10;
}

/* CUDA has one status for a missing driver and for an old driver. The driver's version shows which. */
static bool driver_refuse(struct error *error) {
  int driver = 0, runtime = 0;
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  if (driver == 0)
    return error_set(error, ERROR_DEVICE, "no CUDA driver on this machine: install NVIDIA's driver");
  return error_set(error, ERROR_DEVICE,
                   "the CUDA driver is for CUDA %d.%d and this nina is built with CUDA %d.%d: update "
                   "NVIDIA's driver",
                   version_major(driver), version_minor(driver), version_major(runtime),
                   version_minor(runtime));
}

/* The driver's cuDeviceGetUuid: CUresult, CUuuid and CUdevice are an int, 16 bytes and an int. */
typedef int uuid_get(cudaUUID_t *uuid, int device);

/* The card's uuid from the driver. If a GPU is split into instances (MIG), the runtime's properties hold the
 * whole GPU's uuid for every instance. Since CUDA 11.4 the driver gives each instance its own uuid. */
static void uuid_read(int32_t device, const struct cudaDeviceProp *properties, char uuid[33]) {
  cudaUUID_t bytes = properties->uuid;
  enum cudaDriverEntryPointQueryResult found;
  void *function = NULL;
  uuid_get *get = NULL;
#if CUDART_VERSION >= 12050
  const cudaError_t status =
      cudaGetDriverEntryPointByVersion("cuDeviceGetUuid", &function, 11040, cudaEnableDefault, &found);
#else
  const cudaError_t status = cudaGetDriverEntryPoint("cuDeviceGetUuid", &function, cudaEnableDefault, &found);
#endif
  if (status == cudaSuccess && found == cudaDriverEntryPointSuccess)
    memcpy(&get, &function, sizeof get);
  else
    cudaGetLastError(); /* the next call must not see this error */
  if (get && get(&bytes, device) != 0) bytes = properties->uuid;
  for (size_t i = 0; i < sizeof bytes.bytes; i++)
    snprintf(uuid + 2 * i, 3, "%02x", (unsigned char)bytes.bytes[i]);
}

/* One card's fault leaves the others in the list. */
static void card_read(int32_t device, struct cuda_card *card) {
  struct cudaDeviceProp properties;
  struct error error;
  *card = (struct cuda_card){.device = device};
  if (!cuda_check(cudaGetDeviceProperties(&properties, device), &error,
                  "the driver tells nothing about it")) {
    snprintf(card->fault, sizeof card->fault, "%.299s", error.message);
    return;
  }
  *card = (struct cuda_card){.device = device,
                             .major = properties.major,
                             .minor = properties.minor,
                             .multiprocessors = properties.multiProcessorCount,
                             .memory = (int64_t)properties.totalGlobalMem,
                             .usable = properties.major >= CUDA_MAJOR_LEAST};
  snprintf(card->name, sizeof card->name, "%s", properties.name);
  snprintf(card->bus, sizeof card->bus, "%04x:%02x:%02x.0", (unsigned)properties.pciDomainID & 0xffff,
           (unsigned)properties.pciBusID & 0xff, (unsigned)properties.pciDeviceID & 0xff);
  uuid_read(device, &properties, card->uuid);
}

/* Statuses whose text alone would not help. */
static bool count_refuse(cudaError_t status, struct error *error) {
  cuda_check(status, error, "counting the CUDA cards");
  if (status == cudaErrorSystemNotReady)
    return error_append(error, "a machine with NVSwitch needs NVIDIA's fabric manager: is it running?");
  if (status == cudaErrorSystemDriverMismatch)
    return error_append(error,
                        "the driver in the kernel and its library are of different versions, as after "
                        "an update: restart the machine");
  return false;
}

bool cuda_cards_list(struct cuda_card cards[CUDA_CARDS_MAX], int32_t *count, struct error *error) {
  int present = 0;
  const cudaError_t status = cudaGetDeviceCount(&present);
  *count = 0;
  if (status == cudaErrorInsufficientDriver) return driver_refuse(error);
  if (status == cudaErrorNoDevice || (status == cudaSuccess && present == 0))
    return error_set(error, ERROR_DEVICE, "the CUDA driver sees no card (is CUDA_VISIBLE_DEVICES set?)");
  if (status != cudaSuccess) return count_refuse(status, error);
  for (int32_t i = 0; i < present && i < CUDA_CARDS_MAX; i++) card_read((*count)++, &cards[i]);
  return true;
}

bool cuda_cards_expected(void) {
  int present = 0, driver = 0;
  const cudaError_t status = cudaGetDeviceCount(&present);
  cudaDriverGetVersion(&driver);
  return driver != 0 && status != cudaErrorNoDevice && (status != cudaSuccess || present > 0);
}

bool cuda_card_check(const struct cuda_card *card, struct error *error) {
  if (card->usable) return true;
  if (*card->fault) return error_set(error, ERROR_DEVICE, "CUDA card %d: %s", card->device, card->fault);
  return error_set(error, ERROR_DEVICE,
                   "CUDA card %d (%s) has compute capability %d.%d and nina's kernels need %d.0 or newer",
                   card->device, card->name, card->major, card->minor, CUDA_MAJOR_LEAST);
}

bool cuda_card_find(int32_t device, struct cuda_card *card, struct error *error) {
  struct cuda_card cards[CUDA_CARDS_MAX];
  int32_t count;
  if (!cuda_cards_list(cards, &count, error)) return false;
  if (device < 0 || device >= count)
    return error_set(error, ERROR_DEVICE, "there is no CUDA card %d: this machine has %d, counted from 0",
                     device, count);
  *card = cards[device];
  return cuda_card_check(card, error);
}

bool cuda_runtime_version(char version[16]) {
  int number = 0;
  cudaRuntimeGetVersion(&number);
  snprintf(version, 16, "%d.%d", version_major(number), version_minor(number));
  return true;
}

bool cuda_products_library(char version[32], struct error *error) {
  cuda_gemm_library_version(version);
  return cublaslt_library(error) != NULL;
}
