/*
 * limits.h - every bound on what comes from outside, with its reason. A bound that a user may set has its
 * default here; the tables of the programs' options refer to it.
 */
#ifndef CW_BASE_LIMITS_H
#define CW_BASE_LIMITS_H

/* A push body before decompression: Loki's gRPC default is 4 MiB, clients batch up to 1 MiB; 64 MiB leaves room for one
 * 100 MB-class mistake to be refused by size rather than by memory. */
#define CW_LIMIT_PUSH_BODY_BYTES (64u << 20)
/* The same after decompression. Loki: 100 MiB (max_recv_msg_size times its factor). */
#define CW_LIMIT_PUSH_RAW_BYTES (128u << 20)
/* Streams, entries and pairs of metadata in one push: a body of the size above cannot name more useful ones (an entry with a
 * time and a short line takes 30 bytes), and two bytes that stand for an empty one cost 40 when decoded. */
#define CW_LIMIT_PUSH_STREAMS (1u << 20)
#define CW_LIMIT_PUSH_ENTRIES (4u << 20)
#define CW_LIMIT_PUSH_METADATA (4u << 20)
/* Each entry of an OTLP push repeats the attributes of its resource and scope: so many pairs are 32 MB. */
#define CW_LIMIT_OTLP_PAIRS (1u << 20)
/* Sources that one push says something about: a shipper reads some thousand files. */
#define CW_LIMIT_PUSH_SOURCES (64u << 10)
/* Loki's defaults (limits_config). */
#define CW_LIMIT_LABEL_NAME_BYTES 1024
#define CW_LIMIT_LABEL_VALUE_BYTES 2048
#define CW_LIMIT_LABELS_PER_STREAM 15
#define CW_LIMIT_LINE_BYTES (256u << 10)
#define CW_LIMIT_METADATA_BYTES (64u << 10)
#define CW_LIMIT_METADATA_COUNT 128
/* Whatever limits_config says ("0 is no limit"): what a part can hold of one entry's metadata and of one stream's labels, so that
 * nothing is accepted that cannot be flushed. */
#define CW_LIMIT_METADATA_BYTES_HARD (16u << 20)
#define CW_LIMIT_METADATA_COUNT_HARD 65536u
#define CW_LIMIT_STREAM_LABEL_BYTES_HARD (256u << 10)
/* A query's text; Loki's max_query_bytes... is unbounded, its parser refuses over 128 KiB (errMaxInputSize = 131072). */
#define CW_LIMIT_QUERY_BYTES 131072
/* The token of a partial answer holds a stream's labels, in base64. */
#define CW_LIMIT_CONTINUATION_BYTES (512u << 10)
/* Nesting of an expression: the parser recurses, each level is some 200 bytes of stack. */
#define CW_LIMIT_QUERY_DEPTH 500
/* A query laid out over lines: in a chain of n operators each is indented two columns more than the next, so that the text has some 2 n^2
 * bytes. This is one of 5,800 operators; the longest chain that 128 KiB hold would be 17 GB. */
#define CW_LIMIT_QUERY_LINES_BYTES (64u << 20)
/* `in (...)` within `in (...)`: walkers recurse through all levels, and each may be as deep as the one above. */
#define CW_LIMIT_SUB_QUERY_DEPTH 8
/* Entries around a match on either side: as many as one looks at. */
#define CW_LIMIT_CONTEXT_ENTRIES 1000
/* Values that one query tells apart, for each of distinct, in and count_distinct_over_time: far more than anyone reads; a million take some
 * 100 MB, and an id of requests would be any number. */
#define CW_LIMIT_QUERY_VALUES 1000000u
/* A regular expression: as long as a query may be; the instructions it expands to ({n} repeats its body), and the ranges
 * of its classes (one \pL has 650), which bound what compiling it costs. */
#define CW_LIMIT_REGEX_BYTES CW_LIMIT_QUERY_BYTES
#define CW_LIMIT_REGEX_SIZE (1u << 18)
#define CW_LIMIT_REGEX_RANGES (1u << 20)
/* Depth of its tree: Go's bound. Walkers recurse. */
#define CW_LIMIT_REGEX_DEPTH 1000
/* One execution of a template: what it writes (the largest line, some times over), what its functions make meanwhile,
 * the steps it takes (`range` over a number counts far), and how deep it is nested (each level is some 500 bytes of stack). */
#define CW_LIMIT_TEMPLATE_OUTPUT_BYTES (4u << 20)
#define CW_LIMIT_TEMPLATE_MEMORY_BYTES (32u << 20)
#define CW_LIMIT_TEMPLATE_STEPS 1000000u
#define CW_LIMIT_TEMPLATE_DEPTH 500u
/* A configuration file: larger ones are a mistake (a log given as config). */
#define CW_LIMIT_CONFIG_BYTES (4u << 20)
/* HTTP: request line and headers; form bodies of queries. */
#define CW_LIMIT_HTTP_HEADER_BYTES (256u << 10)
#define CW_LIMIT_HTTP_FORM_BYTES (4u << 20)
#define CW_LIMIT_TENANT_BYTES 150

#endif
