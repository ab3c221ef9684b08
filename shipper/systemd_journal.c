#include "shipper/systemd_journal.h"
#include <dlfcn.h>
#include <string.h>
#include "common/base/assert.h"

#define FUNCTION(member)                                                                           \
    {                                                                                              \
        "sd_journal_" #member, offsetof(struct cw_systemd_journal, member)                         \
    }

int cw_systemd_journal_load(struct cw_systemd_journal *out, struct cw_err *err)
{
    static const struct {
        const char *name;
        size_t offset;
    } functions[] = {
        FUNCTION(open),       FUNCTION(open_directory),     FUNCTION(close),
        FUNCTION(add_match),  FUNCTION(seek_cursor),        FUNCTION(set_data_threshold),
        FUNCTION(next),       FUNCTION(seek_realtime_usec), FUNCTION(test_cursor),
        FUNCTION(get_cursor), FUNCTION(restart_data),       FUNCTION(get_realtime_usec),
        FUNCTION(get_fd),     FUNCTION(enumerate_data),     FUNCTION(process)};
    void *library = dlopen("libsystemd.so.0", RTLD_NOW); /* stays loaded */
    if (library == NULL)
        return cw_err_set(err, CW_E_UNAVAILABLE, "the journal is read with libsystemd: %s",
                          dlerror());
    for (size_t i = 0; i < CW_COUNT(functions); i++) {
        void *function = dlsym(library, functions[i].name);
        if (function == NULL)
            return cw_err_set(err, CW_E_UNAVAILABLE, "libsystemd has no %s", functions[i].name);
        memcpy((char *)out + functions[i].offset, &function, sizeof function);
    }
    return 0;
}
