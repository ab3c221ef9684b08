/* cmd_fsck.c - `cordwood fsck`: check every byte of a data directory, and repair it. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/assert.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/store/data_lock.h"
#include "common/store/delete_list.h"
#include "querier/cli/cli.h"
#include "querier/cli/fsck.h"

static void print_about(const struct cw_fsck *fsck, const char *file, const char *fmt, va_list args)
{
    size_t len = strlen(fsck->dir);
    if (strncmp(file, fsck->dir, len) == 0 && file[len] == '/')
        file += len + 1;
    printf("%s: ", file);
    vprintf(fmt, args);
    printf("\n");
}

void cw_fsck_problem(struct cw_fsck *fsck, const char *file, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    print_about(fsck, file, fmt, args);
    va_end(args);
    fsck->nproblems++;
}

void cw_fsck_note(const struct cw_fsck *fsck, const char *file, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    print_about(fsck, file, fmt, args);
    va_end(args);
}

static bool there_is(const struct cw_fsck *fsck, const char *name)
{
    struct cw_buf path;
    cw_buf_init(&path, SIZE_MAX);
    cw_buf_addf(&path, "%s/%s", fsck->dir, name);
    bool there = cw_file_exists(cw_buf_z(&path));
    cw_buf_fini(&path);
    return there;
}

/* Not to be repaired into something that it never was, nor of a newer version: nothing of it is touched. */
static int check_is_data_dir(const struct cw_fsck *fsck, struct cw_err *err)
{
    if (there_is(fsck, "FORMAT") || there_is(fsck, "catalog") || there_is(fsck, "wal"))
        return cw_catalog_check_format(fsck->dir, err) == CW_E_INVALID ? CW_E_INVALID : 0;
    return cw_err_set(err, CW_E_NOT_FOUND,
                      "%s is no data directory: it has neither FORMAT, nor catalog, nor wal",
                      fsck->dir);
}

static int check_format(struct cw_fsck *fsck, struct cw_err *err)
{
    struct cw_err why = {0};
    int rc = cw_catalog_check_format(fsck->dir, &why);
    if (rc == 0)
        return 0;
    if (rc != CW_E_NOT_FOUND && rc != CW_E_CORRUPT)
        return cw_err_set(err, rc, "%s", why.text);
    cw_fsck_problem(fsck, "FORMAT",
                    rc == CW_E_CORRUPT ? "it does not say what it should" : "it is missing");
    if (fsck->quarantine == NULL)
        return 0;
    rc = rc == CW_E_CORRUPT ? cw_quarantine_file(fsck->quarantine, "FORMAT", err) : 0;
    if (rc == 0)
        rc = cw_catalog_write_format(fsck->dir, err);
    if (rc == 0)
        cw_fsck_note(fsck, "FORMAT", "repaired: written anew");
    return rc;
}

/* One that was never made is none that is missing. */
static int deletes_missing(struct cw_fsck *fsck, struct cw_err *err)
{
    struct cw_delete_list none = {0};
    if (!fsck->catalog.keeps_deletes)
        return 0;
    cw_fsck_problem(fsck, "deletes",
                    "it is missing: what deletes hid is seen again, if it is not removed yet");
    int rc = fsck->quarantine != NULL ? cw_delete_list_write(fsck->dir, &none, err) : 0;
    if (rc == 0 && fsck->quarantine != NULL)
        cw_fsck_note(fsck, "deletes", "repaired: written anew, with none");
    return rc;
}

/* What is hidden until it is removed. */
static int check_deletes(struct cw_fsck *fsck, struct cw_err *err)
{
    struct cw_delete_list list = {0};
    struct cw_err why = {0};
    size_t nbad = 0;
    int rc = cw_delete_list_read(fsck->dir, &list, &nbad, &why);
    if (rc == CW_E_NOT_FOUND)
        return deletes_missing(fsck, err);
    if (rc < 0)
        return cw_err_set(err, rc, "%s", why.text);
    if (nbad > 0)
        cw_fsck_problem(fsck, "deletes",
                        "%zu lines are damaged or missing: what such a delete hid is seen again, "
                        "if it is not removed yet",
                        nbad);
    if (nbad > 0 && fsck->quarantine != NULL) {
        rc = cw_quarantine_file(fsck->quarantine, "deletes", err);
        if (rc == 0)
            rc = cw_delete_list_write(fsck->dir, &list, err);
        if (rc == 0)
            cw_fsck_note(fsck, "deletes", "repaired: written anew with the %zu that are whole",
                         list.n);
    }
    cw_delete_list_fini(&list);
    return rc;
}

/* "clean" is about what is served: what was set aside, and is not, must not be forgotten. */
static int check_quarantine(struct cw_fsck *fsck, struct cw_err *err)
{
    struct cw_file_names names = {0};
    struct cw_buf path;
    cw_buf_init(&path, SIZE_MAX);
    cw_buf_addf(&path, "%s/quarantine", fsck->dir);
    int rc = cw_file_exists(cw_buf_z(&path)) ? cw_file_list(cw_buf_z(&path), &names, err) : 0;
    if (rc == 0 && names.n > 0)
        cw_fsck_note(fsck, "quarantine",
                     "%zu %s: bytes that were found bad and set aside; nothing in them is served",
                     names.n, names.n == 1 ? "file" : "files");
    cw_file_names_free(&names);
    cw_buf_fini(&path);
    return rc;
}

/* In order: later ones use what earlier ones found. */
static int (*const steps[])(struct cw_fsck *fsck, struct cw_err *err) = {
    check_format, cw_fsck_catalog, cw_fsck_parts,    cw_fsck_catalog_write,
    cw_fsck_wal,  check_deletes,   check_quarantine,
};

static void print_summary(const struct cw_fsck *fsck)
{
    printf("checked ");
    cw_cli_print_count(fsck->nparts, "part", "parts");
    printf(", ");
    cw_cli_print_count(fsck->nblocks, "block", "blocks");
    printf(", ");
    cw_cli_print_count(fsck->nentries, "entry", "entries");
    printf("; ");
    cw_cli_print_count(fsck->nsegments, "segment", "segments");
    printf(" of the log, ");
    cw_cli_print_count(fsck->npushes, "push", "pushes");
    printf("\n");
    if (fsck->nproblems == 0) {
        printf("clean\n");
        return;
    }
    cw_cli_print_count(fsck->nproblems, "problem", "problems");
    printf("%s; lost: ", fsck->quarantine != NULL ? ", repaired" : "");
    cw_cli_print_count(fsck->lost_entries, "entry", "entries");
    printf(" in parts");
    if (fsck->lost_unknown > 0) {
        printf(" and those of ");
        cw_cli_print_count(fsck->lost_unknown, "part that does not say how many",
                           "parts that do not say how many");
    }
    printf(", ");
    if (fsck->lost_pushes_least || fsck->lost_pushes_most)
        printf("%s ", !fsck->lost_pushes_most   ? "at least"
                      : fsck->lost_pushes_least ? "about"
                                                : "up to");
    cw_cli_print_count(fsck->lost_pushes, "push", "pushes");
    printf(" in the log\n");
    if (fsck->quarantine == NULL)
        printf("--repair sets aside what is bad (in quarantine/) and makes the rest whole\n");
}

static int check_all(struct cw_fsck *fsck, struct cw_err *err)
{
    int rc = 0;
    for (size_t i = 0; i < CW_COUNT(steps) && rc == 0; i++)
        rc = steps[i](fsck, err);
    return rc;
}

int cw_cmd_fsck(struct cw_cli *cli)
{
    struct cw_fsck fsck = {.dir = cli->rest[0].ptr};
    struct cw_data_lock *lock = NULL;
    struct cw_err err = {0};
    /* The readers' own warnings would say it a second time. */
    cw_log_init(CW_LOG_ERROR + 1, CW_LOG_LOGFMT);
    cw_catalog_init(&fsck.catalog);
    int rc = check_is_data_dir(&fsck, &err);
    if (rc == 0 && cli->args->repair) {
        rc = cw_data_lock_take(fsck.dir, &lock, &err);
        if (rc == 0)
            rc = cw_quarantine_open(fsck.dir, &fsck.quarantine, &err);
    }
    if (rc == 0)
        rc = check_all(&fsck, &err);
    if (rc == 0)
        print_summary(&fsck);
    cw_catalog_fini(&fsck.catalog);
    cw_quarantine_close(&fsck.quarantine);
    cw_data_lock_release(&lock);
    if (rc < 0)
        return cw_cli_fail(&err, CW_EXIT_ERROR);
    return fsck.nproblems > 0 ? CW_EXIT_NOTHING : 0;
}
