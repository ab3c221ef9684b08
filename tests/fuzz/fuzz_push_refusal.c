/* fuzz_push_refusal.c - any text as what a server says of a batch that it refuses: what is not counted in it is not said of all. */
#include <stddef.h>
#include <stdint.h>
#include "common/base/assert.h"
#include "shipper/push_refusal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cw_push_refusals refusals;
    struct cw_push_refused batch = {.status = 400, .text = {(const char *)data, size}};
    cw_push_refusals_init(&refusals);
    unsigned nsaid = 0;
    for (size_t n = 2; n < 12; n++) {
        batch.nentries = batch.nfirst = n;
        bool all = cw_push_refusal_is_of_all(batch.text, n);
        CW_ASSERT((cw_push_refusals_refused(&refusals, &batch) == CW_PUSH_GIVE_UP) == all);
        cw_push_refusals_init(&refusals);
        nsaid += all;
    }
    CW_ASSERT(nsaid <= 2); /* a sum, a total */
    return 0;
}
