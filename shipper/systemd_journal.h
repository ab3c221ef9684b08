/*
 * systemd_journal.h - what we call of libsystemd's journal, found when it is wanted: the program runs
 * on machines without it.
 *
 * Errors     CW_E_UNAVAILABLE: libsystemd is not installed, or lacks a function. The functions return
 *            negative errno values.
 * Source     sd-journal(3)
 */
#ifndef CW_SHIPPER_SYSTEMD_JOURNAL_H
#define CW_SHIPPER_SYSTEMD_JOURNAL_H
#include <stddef.h>
#include <stdint.h>
#include "common/base/err.h"

struct cw_sd_journal; /* the library's */

enum { CW_SD_JOURNAL_LOCAL_ONLY = 1 };

struct cw_systemd_journal {
    int (*open)(struct cw_sd_journal **out, int flags);
    int (*open_directory)(struct cw_sd_journal **out, const char *path, int flags);
    void (*close)(struct cw_sd_journal *journal);
    int (*add_match)(struct cw_sd_journal *journal, const void *data, size_t size);
    int (*set_data_threshold)(struct cw_sd_journal *journal, size_t size);
    int (*seek_cursor)(struct cw_sd_journal *journal, const char *cursor);
    int (*seek_realtime_usec)(struct cw_sd_journal *journal, uint64_t usec);
    int (*next)(struct cw_sd_journal *journal); /* 1: there is an entry; 0: not yet */
    int (*test_cursor)(struct cw_sd_journal *journal, const char *cursor); /* 1: this entry's */
    int (*get_cursor)(struct cw_sd_journal *journal, char **out);          /* free() it */
    int (*get_realtime_usec)(struct cw_sd_journal *journal, uint64_t *out);
    /* "FIELD=value"; 0: no more. */
    int (*enumerate_data)(struct cw_sd_journal *journal, const void **data, size_t *len);
    void (*restart_data)(struct cw_sd_journal *journal);
    int (*get_fd)(struct cw_sd_journal *journal);
    int (*process)(struct cw_sd_journal *journal);
};

int cw_systemd_journal_load(struct cw_systemd_journal *out, struct cw_err *err) CW_MUST_USE;

#endif
