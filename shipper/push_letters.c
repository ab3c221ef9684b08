#include "shipper/push_letters.h"

int cw_push_letters_write(struct cw_dead_letters *letters, const struct cw_batch *batch,
                          const struct cw_dead_letter *like, struct cw_err *err)
{
    for (size_t i = 0; i < batch->nentries; i++) {
        struct cw_dead_letter letter = *like;
        letter.labels = cw_batch_labels(batch, &batch->entries[i]);
        letter.entry = batch->entries[i].push;
        int rc = cw_dead_letters_add(letters, &letter, err);
        if (rc < 0)
            return rc;
    }
    return cw_dead_letters_sync(letters, err);
}
