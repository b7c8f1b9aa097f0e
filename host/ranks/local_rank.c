#include "host/ranks/local_rank.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "io/machine.h"

bool local_rank_hold(struct local_rank *held, struct error *error) {
  struct machine machine;
  const char *job = getenv("PMIX_NAMESPACE"), *number = getenv("OMPI_COMM_WORLD_LOCAL_RANK");
  held->file = -1;
  if (!job || !number || getenv("OMPI_MCA_btl") || getenv("OMPI_MCA_pml")) return true;
  if (!machine_here(&machine, error)) return false;
  const int size =
      snprintf(held->path, sizeof held->path, "/dev/shm/nina.%s.%s.%s", machine.host, job, number);
  if (size < 0 || (size_t)size >= sizeof held->path) return true;
  held->file = open(held->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (held->file < 0 || flock(held->file, LOCK_EX | LOCK_NB) == 0) return true;
  const bool taken = errno == EWOULDBLOCK;
  local_rank_release(held);
  if (!taken) return true;
  return error_set(
      error, ERROR_USAGE,
      "two ranks of this job are number %s on host %s: two of Open MPI's daemons share this host "
      "name and /dev/shm, as containers may, and its transport over shared memory would crash. "
      "Give each container a host name or a /dev/shm of its own, or pass: mpirun --mca btl ^vader",
      number, machine.host);
}

void local_rank_release(struct local_rank *held) {
  if (held->file < 0) return;
  unlink(held->path);
  close(held->file);
  held->file = -1;
}
