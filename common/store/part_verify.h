/*
 * part_verify.h - check every byte of a part, and say what each damage costs.
 *
 * Checked: header, footer, the checksum of every region, every group of streams; of every block header, directory, the checksum of
 * each section, and that all of it decodes to as many rows as it should, at times that it should have.
 *
 * Threads    One; the damages are told on it.
 * Errors     CW_E_NOT_FOUND, CW_E_IO. Damage is none. Bad bytes never abort.
 */
#ifndef CW_STORE_PART_VERIFY_H
#define CW_STORE_PART_VERIFY_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/err.h"
#include "common/base/str.h"

/* What is lost with it; entries 0: nothing, or told with the damage before. */
struct cw_part_cost {
    bool known; /* false: the footer, which would say it, is damaged */
    uint64_t entries;
    uint32_t streams;
    int64_t min_ns, max_ns; /* inclusive */
};

struct cw_part_damage {
    int64_t block;       /* -1: of the part as a whole */
    const char *section; /* the part's region, the block's section, "header", "footer" */
    const char *why;     /* a sentence */
    uint64_t off, bytes; /* where it lies in the file */
    struct cw_part_cost cost;
};
typedef void (*cw_part_damage_fn)(void *arg, const struct cw_part_damage *damage);

struct cw_part_verified {
    bool opens; /* false: all is lost, whatever of it is whole */
    bool
        newer; /* some of it is whole, and of a version that this program does not know: not to be repaired by it */
    uint64_t ndamages;
    uint32_t nblocks, nbad_blocks;
    uint64_t entries; /* that can be read */
};

int cw_part_verify(const char *path, cw_part_damage_fn fn, void *arg, struct cw_part_verified *out,
                   struct cw_err *err) CW_MUST_USE;
/* The same over bytes. */
void cw_part_verify_bytes(struct cw_str bytes, cw_part_damage_fn fn, void *arg,
                          struct cw_part_verified *out);

#endif
