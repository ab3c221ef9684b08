/* room_reserve.c - a file of zeros, as large as it may be. */
#include "common/store/room_reserve.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "common/base/arena.h"
#include "common/base/file.h"

int cw_room_reserve_keep(const char *path, size_t bytes, struct cw_err *err)
{
    struct stat st;
    size_t have = stat(path, &st) == 0 && S_ISREG(st.st_mode) ? (size_t)st.st_size : 0;
    if (have >= bytes)
        return 0;
    char *zeros = cw_mem_new(bytes);
    int rc = CW_E_UNAVAILABLE;
    for (size_t want = bytes;
         rc == CW_E_UNAVAILABLE && want > have && want >= CW_ROOM_RESERVE_BYTES_MIN; want /= 2)
        rc = cw_file_replace(path, cw_str_make(zeros, want), err);
    free(zeros);
    return rc;
}
