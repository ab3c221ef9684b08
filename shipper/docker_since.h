/*
 * docker_since.h - where in a container's json-file log the lines of a time begin: promtail's positions know no offset of it, but
 * the second of the last line.
 *
 * Lines are in the order of their times but for CW_DOCKER_DISORDER_S (docker_place.h): none that is younger is passed over.
 */
#ifndef CW_SHIPPER_DOCKER_SINCE_H
#define CW_SHIPPER_DOCKER_SINCE_H
#include <stdint.h>

/* The offset of a line's beginning; `size` when all are older. Where the file cannot be read as one of Docker's: as early as is
 * known. */
uint64_t cw_docker_since_offset(int fd, uint64_t size, int64_t since_s);

#endif
