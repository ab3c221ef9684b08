/* Any line: its level is found within bounds, and the two ways to scan find the same. */
#include "common/base/assert.h"
#include "common/extract/level_detect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(struct cw_level_detector *detector, enum cw_triple_scan_way way)
{
    if (!cw_triple_scan_use(&detector->json_keys, way) ||
        !cw_triple_scan_use(&detector->logfmt_keys, way))
        return;
    (void)cw_triple_scan_use(&detector->words, way);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct cw_str fields[] = {
        {"level", 5}, {"LEVEL", 5}, {"log.level", 9}, {"lvl", 3}, {"L", 1}};
    struct cw_level_detector detector;
    if (size == 0)
        return 0;
    /* The first byte chooses the fields (with and without one that is too short to look for) and the depth. */
    size_t nfields = data[0] % (CW_COUNT(fields) + 1);
    struct cw_str line = cw_str_make(data + 1, size - 1);
    struct cw_arena *arena = cw_arena_new();
    cw_level_detector_init(&detector, fields, nfields, data[0] >> 5);
    enum cw_level level = cw_level_detect(&detector, line, arena);
    CW_ASSERT(level < CW_LEVEL_N);
    use(&detector, CW_TRIPLE_SCAN_PLAIN);
    CW_ASSERT(cw_level_detect(&detector, line, arena) == level);
    /* Parsing every line to its end finds what looking for keys first finds. */
    detector.any_key = true;
    CW_ASSERT(cw_level_detect(&detector, line, arena) == level);
    cw_arena_free(&arena);
    return 0;
}
