/* file_lost.c - pages of mapped files that the disk cannot give: zeros in their place instead of the process's end. */
#include "common/base/file_lost.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/base/arena.h"

enum { TOLD_MAX = 20 };

/* Walked by the signal handler: nodes are used again, never freed. `start` 0: free; it is set last and cleared first. */
struct range {
    atomic_uintptr_t start, end;
    atomic_bool lost; /* a page of it */
    struct range *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct range *_Atomic ranges;
static atomic_bool any_lost; /* of any range, ever: mostly nobody has to look further */
static struct sigaction before;
static uintptr_t page_bytes;

/* Some of them: who reads it looks at the disk. Nothing else of the log may be used here. */
static void tell(void)
{
    static const char text[] =
        "level=error msg=\"a page of a mapped file cannot be read (the disk failed, or the file was "
        "cut): zeros are read in its place\"\n";
    static atomic_uint ntold;
    if (atomic_fetch_add(&ntold, 1) < TOLD_MAX && write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
        atomic_store(&ntold, TOLD_MAX);
}

static void on_bus(int number, siginfo_t *info, void *context)
{
    int saved = errno;
    uintptr_t at = (uintptr_t)info->si_addr;
    (void)context;
    for (struct range *r = atomic_load(&ranges); r != NULL; r = r->next) {
        uintptr_t start = atomic_load(&r->start);
        if (start == 0 || at < start || at >= atomic_load(&r->end))
            continue;
        atomic_store(&r->lost, true);
        atomic_store(&any_lost, true);
        void *page = (void *)(at / page_bytes * page_bytes);
        if (mmap(page, page_bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
            MAP_FAILED)
            break;
        tell();
        errno = saved;
        return;
    }
    /* Not ours: the access is made again, and who was there before gets it. */
    sigaction(number, &before, NULL);
    errno = saved;
}

static void install(void)
{
    struct sigaction action = {.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO | SA_RESTART};
    page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, &before);
}

void cw_file_lost_watch(const void *ptr, size_t len)
{
    pthread_once(&once, install);
    uintptr_t end = ((uintptr_t)ptr + len + page_bytes - 1) / page_bytes * page_bytes;
    pthread_mutex_lock(&lock);
    struct range *r = atomic_load(&ranges);
    while (r != NULL && atomic_load(&r->start) != 0)
        r = r->next;
    bool made = r == NULL;
    if (made)
        r = cw_mem_new(sizeof(*r));
    atomic_store(&r->end, end);
    atomic_store(&r->lost, false);
    atomic_store(&r->start, (uintptr_t)ptr);
    if (made) {
        r->next = atomic_load(&ranges);
        atomic_store(&ranges, r);
    }
    pthread_mutex_unlock(&lock);
}

bool cw_file_lost_any(const void *ptr)
{
    if (!atomic_load(&any_lost))
        return false;
    pthread_mutex_lock(&lock);
    struct range *r = atomic_load(&ranges);
    while (r != NULL && atomic_load(&r->start) != (uintptr_t)ptr)
        r = r->next;
    bool lost = r != NULL && atomic_load(&r->lost);
    pthread_mutex_unlock(&lock);
    return lost;
}

void cw_file_lost_forget(const void *ptr)
{
    pthread_mutex_lock(&lock);
    for (struct range *r = atomic_load(&ranges); r != NULL; r = r->next) {
        if (atomic_load(&r->start) == (uintptr_t)ptr) {
            atomic_store(&r->start, 0);
            break;
        }
    }
    pthread_mutex_unlock(&lock);
}
