/*
 * folder_search.h - where a file is in its folder now, though names are changed while it is looked for.
 *
 * A name that is changed while a folder is read may not be met, under neither name (readdir(3) promises nothing of such). So a file that
 * was not met is only known to be missing if the folder's time of the last change says that nothing changed since before it was
 * read. These times are of the kernel's ticks (1 to 10 ms, CLOCK_REALTIME_COARSE): one of the present tick tells nothing yet.
 */
#ifndef CW_SHIPPER_FOLDER_SEARCH_H
#define CW_SHIPPER_FOLDER_SEARCH_H
#include <stddef.h>
#include "shipper/file_identity.h"

enum cw_folder_answer {
    CW_FOLDER_FOUND,
    CW_FOLDER_MISSING,   /* it is not there, or its folder was removed */
    CW_FOLDER_BUSY,      /* it was not met, but names were changed all the time */
    CW_FOLDER_UNREADABLE /* not mounted, or not ours to read: nothing is known of it */
};

/* All searches of one scan read folders in vain so often at most, a tick each; from then on each search reads once. */
#define CW_FOLDER_VAIN_MAX 16

/* Look for the file in the folder of `path`; only when it is found, its path is in path_out. *nvain: readings that were in vain so
 * far, by all searches of this scan. */
enum cw_folder_answer cw_folder_search(const char *path, const struct cw_file_identity *identity,
                                       unsigned *nvain, char *path_out, size_t cap);

#endif
