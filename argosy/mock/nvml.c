/* A stand-in libnvidia-ml.so.1 for machines without a GPU, loaded by the real nvidia-ml-py.
 *
 * State: the text file that NVIDIA_MOCK_GPUS names, read at every call; replace it with rename(2). Lines:
 *   driver init=0 version=580.65.06
 *   gpu uuid=GPU-a name=NVIDIA_A100 total=85899345920 used=0 foreign=0 mig=0 nomem=0 fail=0 hang_ms=0 action=0
 *       xid=0 xids=0 procs=12:1048576,13:-
 *   mig uuid=MIG-a gpu=0 slice=1 name=... total=10737418240 used=0 procs=
 * Every key may be left out; `_` in a name stands for a blank.
 *   init     nvmlInit and all calls on GPUs answer this (9: driver not loaded)
 *   fail     every call on the GPU answers this (15: GPU is lost)
 *   foreign  bytes of somebody who is not ours
 *   nomem=1  NOT_SUPPORTED for memory (unified memory)
 *   hang_ms  each call takes so long, or until it is taken back
 *   action   recovery action (field 230); -1: an old driver, not supported
 *   xids     grows with each XID event, whose number is xid
 *   procs    processes and bytes of each; `-`: size not known. They are counted in `used` already.
 * Processes that hold memory of a GPU say so in the folder procs/UUID beside the state file: a file named after the
 * pid, with bytes and start time (field 22 of /proc/PID/stat). As with the real thing, it is gone with the process. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { OK = 0, INVAL = 2, NOSUP = 3, NOTFOUND = 6, SMALL = 7, NODRIVER = 9, TIMEOUT = 10, LOST = 15 };
enum { LINE = 4096, PATH = 8192, MOST = 64 };
enum { XID_EVENT = 8, RECOVERY_ACTION = 230, UNSIGNED_INT = 1 };
typedef unsigned long long u64;
typedef struct { u64 total, free, used; } Mem1;
typedef struct { unsigned version; u64 total, reserved, free, used; } Mem2;
typedef struct { unsigned pid; u64 used; unsigned gi, ci; } Proc;
typedef struct { unsigned gpu, memory; } Rates;
typedef void *Dev; /* line number + 1 */
typedef struct { Dev device; u64 type, data; unsigned gi, ci; } Event;
typedef struct { unsigned id, scope; long long at, took; unsigned type; int result; union { unsigned u; u64 ull; } value; } Field;
typedef struct { int count; Dev device[MOST]; u64 seen[MOST]; } Set;

static const char *state(void) { return getenv("NVIDIA_MOCK_GPUS"); }
static int line_of(int n, char *out) { /* how many lines; copies the n-th */
    FILE *f = state() ? fopen(state(), "re") : NULL;
    char buf[LINE];
    int count = 0;
    if (!f) return -1;
    while (fgets(buf, sizeof buf, f)) {
        buf[strcspn(buf, "\n")] = 0;
        if (count++ == n && out) strcpy(out, buf);
    }
    fclose(f);
    return count;
}
static char *get(const char *line, const char *key, char *out) {
    char pat[64];
    snprintf(pat, sizeof pat, " %s=", key);
    const char *p = strstr(line, pat);
    out[0] = 0;
    if (p) sprintf(out, "%.*s", (int)strcspn(p + strlen(pat), " "), p + strlen(pat));
    return out;
}
static long long num(const char *line, const char *key) { char v[LINE]; return strtoll(get(line, key, v), NULL, 0); }
static int put(char *s, unsigned room, const char *text) {
    if (strlen(text) + 1 > room) return SMALL;
    strcpy(s, text);
    return OK;
}
static void nap(void) { nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL); }
static u64 now_ms(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec * 1000ull + t.tv_nsec / 1000000; }
static void driver(char *line) { /* the driver's line, or none */
    line[0] = 0;
    if (line_of(0, line) < 1 || strncmp(line, "driver", 6)) line[0] = 0;
}
static int dev(Dev d, char *line) {
    int n = (int)(long)d - 1;
    u64 start = now_ms();
    driver(line);
    if (num(line, "init")) return (int)num(line, "init");
    do {
        if (n < 0 || n >= line_of(n, line)) return LOST;
        if (now_ms() - start >= (u64)num(line, "hang_ms")) return (int)num(line, "fail");
        nap();
    } while (1);
}
#define DEV(d) char L[LINE], v[LINE]; int r_ = dev(d, L); (void)v; if (r_) return r_

int nvmlInitWithFlags(unsigned f) {
    char L[LINE];
    (void)f;
    if (line_of(0, NULL) < 0) return NODRIVER;
    driver(L);
    return (int)num(L, "init");
}
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlShutdown(void) { return OK; }
const char *nvmlErrorString(int r) {
    switch (r) {
    case NOSUP: return "Not Supported";
    case NODRIVER: return "Driver Not Loaded";
    case TIMEOUT: return "Timeout";
    case LOST: return "GPU is lost";
    case 18: return "Driver/library version mismatch";
    default: return "error";
    }
}
int nvmlSystemGetDriverVersion(char *s, unsigned n) {
    char L[LINE], v[LINE];
    driver(L);
    return put(s, n, *get(L, "version", v) ? v : "580.65.06");
}
static int nth(const char *kind, const char *key, u64 value, u64 nth, Dev *d) { /* the nth line of a kind */
    char L[LINE];
    int count = line_of(0, NULL);
    for (int i = 0; i < count; i++) {
        line_of(i, L);
        if (strncmp(L, kind, 3) || (key && (u64)num(L, key) != value)) continue;
        if (key ? (u64)num(L, "slice") == nth : nth-- == 0) { *d = (Dev)(long)(i + 1); return OK; }
    }
    return NOTFOUND;
}
int nvmlDeviceGetCount_v2(unsigned *c) { Dev d; for (*c = 0; nth("gpu", NULL, 0, *c, &d) == OK; (*c)++) {} return OK; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, Dev *d) { return nth("gpu", NULL, 0, i, d); }
int nvmlDeviceGetHandleByUUID(const char *uuid, Dev *d) {
    char L[LINE], v[LINE];
    int count = line_of(0, NULL);
    for (int i = 0; i < count; i++) {
        line_of(i, L);
        if (!strcmp(get(L, "uuid", v), uuid)) { *d = (Dev)(long)(i + 1); return dev(*d, L); }
    }
    return NOTFOUND;
}
int nvmlDeviceGetUUID(Dev d, char *s, unsigned n) { DEV(d); return put(s, n, get(L, "uuid", v)); }
int nvmlDeviceGetName(Dev d, char *s, unsigned n) {
    DEV(d);
    get(L, "name", v);
    for (char *p = v; *p; p++) if (*p == '_') *p = ' ';
    return put(s, n, v);
}
int nvmlDeviceGetMigMode(Dev d, unsigned *a, unsigned *b) {
    DEV(d);
    if (num(L, "mig") < 0) return NOSUP;
    *a = *b = (unsigned)num(L, "mig");
    return OK;
}
int nvmlDeviceGetMaxMigDeviceCount(Dev d, unsigned *c) { DEV(d); *c = 7; return OK; }
int nvmlDeviceGetMigDeviceHandleByIndex(Dev d, unsigned i, Dev *m) {
    u64 index = 0;
    for (Dev other; nth("gpu", NULL, 0, index, &other) == OK && other != d; index++) {}
    return nth("mig", "gpu", index, i, m);
}

static u64 started(unsigned pid) { /* field 22 of /proc/PID/stat; 0: no such process */
    char path[64], buf[1024];
    snprintf(path, sizeof path, "/proc/%u/stat", pid);
    FILE *f = fopen(path, "re");
    size_t got = f ? fread(buf, 1, sizeof buf - 1, f) : 0;
    if (f) fclose(f);
    buf[got] = 0;
    char *p = strrchr(buf, ')');
    if (!p || p[2] == 'Z' || p[2] == 'X') return 0;
    for (int field = 2; p && field < 22; field++) p = strchr(p + 1, ' ');
    return p ? strtoull(p, NULL, 10) : 0;
}
static unsigned told(const char *line, Proc *out, unsigned room) { /* living processes that told what they hold */
    char path[PATH], v[LINE];
    unsigned n = 0;
    snprintf(path, sizeof path, "%.3000s", state());
    char *slash = strrchr(path, '/');
    if (!slash) return 0;
    snprintf(slash, sizeof path - (slash - path), "/procs/%.200s", get(line, "uuid", v));
    DIR *folder = opendir(path);
    for (struct dirent *e; folder && (e = readdir(folder));) {
        unsigned pid = (unsigned)strtoul(e->d_name, NULL, 10);
        char file[PATH + 300];
        u64 bytes, start;
        if (!pid || strchr(e->d_name, '.')) continue;
        snprintf(file, sizeof file, "%s/%s", path, e->d_name);
        FILE *f = fopen(file, "re");
        if (!f) continue;
        if (fscanf(f, "%llu %llu", &bytes, &start) == 2 && start == started(pid)) {
            if (out && n < room) out[n] = (Proc){ pid, bytes, ~0u, ~0u };
            n++;
        }
        fclose(f);
    }
    if (folder) closedir(folder);
    return n;
}
int nvmlDeviceGetMemoryInfo_v2(Dev d, Mem2 *m) {
    DEV(d);
    Proc held[256];
    if (num(L, "nomem")) return NOSUP;
    m->total = num(L, "total"); m->used = num(L, "used") + num(L, "foreign"); m->reserved = 0;
    for (unsigned n = told(L, held, 256); n-- > 0;) if (n < 256) m->used += held[n].used;
    if (m->used > m->total) m->used = m->total;
    m->free = m->total - m->used;
    return OK;
}
int nvmlDeviceGetMemoryInfo(Dev d, Mem1 *m) {
    Mem2 b;
    int r = nvmlDeviceGetMemoryInfo_v2(d, &b);
    if (!r) { m->total = b.total; m->free = b.free; m->used = b.used; }
    return r;
}
int nvmlDeviceGetComputeRunningProcesses_v3(Dev d, unsigned *count, Proc *p) {
    DEV(d);
    unsigned n = 0, room = *count;
    char *save = NULL;
    get(L, "procs", v);
    for (char *t = strtok_r(v, ",", &save); t; t = strtok_r(NULL, ",", &save), n++)
        if (p && n < room) {
            char *c = strchr(t, ':');
            p[n] = (Proc){ (unsigned)atoi(t), c && c[1] != '-' ? strtoull(c + 1, NULL, 10) : ~0ull, ~0u, ~0u };
        }
    if (num(L, "foreign")) {
        if (p && n < room) p[n] = (Proc){ 1, num(L, "foreign"), ~0u, ~0u };
        n++;
    }
    n += told(L, p && n < room ? p + n : NULL, n < room ? room - n : 0);
    *count = n;
    return n > (p ? room : 0) ? SMALL : OK;
}
int nvmlDeviceGetGraphicsRunningProcesses_v3(Dev d, unsigned *count, Proc *p) { (void)p; DEV(d); *count = 0; return OK; }

int nvmlDeviceGetUtilizationRates(Dev d, Rates *u) { /* busy while anybody who tells of it holds memory */
    DEV(d);
    if (!strncmp(L, "mig", 3) || num(L, "mig") > 0) return NOSUP;
    *u = (Rates){ told(L, NULL, 0) ? 100 : 0, 0 };
    return OK;
}
int nvmlDeviceGetFieldValues(Dev d, int count, Field *f) {
    DEV(d);
    for (int i = 0; i < count; i++) {
        f[i].type = UNSIGNED_INT;
        f[i].result = f[i].id == RECOVERY_ACTION && num(L, "action") >= 0 ? OK : NOSUP;
        f[i].value.ull = 0;
        f[i].value.u = (unsigned)num(L, "action");
    }
    return OK;
}
int nvmlDeviceGetSupportedEventTypes(Dev d, u64 *types) { DEV(d); *types = XID_EVENT; return OK; }
int nvmlEventSetCreate(Set **s) { *s = calloc(1, sizeof **s); return *s ? OK : INVAL; }
int nvmlEventSetFree(Set *s) { free(s); return OK; }
int nvmlDeviceRegisterEvents(Dev d, u64 types, Set *s) {
    char L[LINE];
    int n = (int)(long)d - 1;
    if (types & ~(u64)XID_EVENT) return NOSUP;
    if (n < 0 || n >= line_of(n, L) || s->count == MOST) return INVAL;
    s->device[s->count] = d;
    s->seen[s->count++] = num(L, "xids");
    return OK;
}
int nvmlEventSetWait_v2(Set *s, Event *e, unsigned timeout_ms) {
    char L[LINE];
    u64 start = now_ms();
    do {
        for (int i = 0; i < s->count; i++) {
            int n = (int)(long)s->device[i] - 1;
            if (n >= line_of(n, L) || (u64)num(L, "xids") == s->seen[i]) continue;
            s->seen[i] = num(L, "xids");
            *e = (Event){ s->device[i], XID_EVENT, num(L, "xid"), ~0u, ~0u };
            return OK;
        }
        nap();
    } while (now_ms() - start < timeout_ms);
    return TIMEOUT;
}
