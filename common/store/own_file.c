#include "common/store/own_file.h"

#include <sys/stat.h>

#include "common/base/file.h"

int cw_own_file_read(const char *path, size_t max_bytes, struct cw_buf *out, struct cw_err *err)
{
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return cw_err_set(err, CW_E_CORRUPT, "%s is no regular file", path);
    int rc = cw_file_read(path, max_bytes, out, err);
    if (rc == CW_E_TOO_LARGE)
        err->code = rc = CW_E_CORRUPT;
    return rc;
}
