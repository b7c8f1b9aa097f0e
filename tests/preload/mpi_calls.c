/* MPI, as world_mpi.c calls it. MPI's own answer to a failure is its error handler, which for MPI_COMM_WORLD
 * ends the whole job; so a call that fails here goes to that handler. Only MPI_Init_thread has no handler
 * yet, and returns. */
#include <mpi.h>

#include "tests/preload/call_sites.h"

#pragma weak PMPI_Comm_call_errhandler
#pragma weak PMPI_Init_thread
#pragma weak PMPI_Isend
#pragma weak PMPI_Recv
#pragma weak PMPI_Ibcast
#pragma weak PMPI_Iallgather
#pragma weak PMPI_Igather
#pragma weak PMPI_Ibarrier

static int failed(void) {
  return PMPI_Comm_call_errhandler(MPI_COMM_WORLD, MPI_ERR_OTHER);
}

int MPI_Init_thread(int *argc, char ***argv, int required, int *provided) {
  return call_fails(CALL_MPI, CALLER) ? MPI_ERR_OTHER : PMPI_Init_thread(argc, argv, required, provided);
}

int MPI_Isend(const void *bytes, int count, MPI_Datatype type, int to, int tag, MPI_Comm world,
              MPI_Request *request) {
  return call_fails(CALL_MPI, CALLER) ? failed() : PMPI_Isend(bytes, count, type, to, tag, world, request);
}

int MPI_Recv(void *bytes, int count, MPI_Datatype type, int from, int tag, MPI_Comm world,
             MPI_Status *status) {
  return call_fails(CALL_MPI, CALLER) ? failed() : PMPI_Recv(bytes, count, type, from, tag, world, status);
}

int MPI_Ibcast(void *bytes, int count, MPI_Datatype type, int root, MPI_Comm world, MPI_Request *request) {
  return call_fails(CALL_MPI, CALLER) ? failed() : PMPI_Ibcast(bytes, count, type, root, world, request);
}

int MPI_Iallgather(const void *bytes, int count, MPI_Datatype type, void *all, int share, MPI_Datatype shared,
                   MPI_Comm world, MPI_Request *request) {
  return call_fails(CALL_MPI, CALLER)
             ? failed()
             : PMPI_Iallgather(bytes, count, type, all, share, shared, world, request);
}

int MPI_Igather(const void *bytes, int count, MPI_Datatype type, void *all, int share, MPI_Datatype shared,
                int root, MPI_Comm world, MPI_Request *request) {
  return call_fails(CALL_MPI, CALLER)
             ? failed()
             : PMPI_Igather(bytes, count, type, all, share, shared, root, world, request);
}

int MPI_Ibarrier(MPI_Comm world, MPI_Request *request) {
  return call_fails(CALL_MPI, CALLER) ? failed() : PMPI_Ibarrier(world, request);
}
