/* A stand-in libnvidia-ml.so.1 for machines without a GPU, loaded by the real nvidia-ml-py.
 * State: the text file named by NVML_STUB_STATE, read at every call, one line per GPU:
 *   gpu uuid=GPU-a name=H100 total=85899345920 used=0 mig=0 nomem=0 fail=0 procs=12:1048576,13:-
 *   mig uuid=MIG-a gpu=0 slice=1 name=H100_MIG total=10737418240 used=0 procs=
 * nomem=1 answers NOT_SUPPORTED for memory (unified memory); a process with `-` has no known size;
 * fail=N answers N from that device. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OK = 0, INVAL = 2, NOSUP = 3, NOTFOUND = 6, SMALL = 7, NODRIVER = 9, LOST = 15 };
typedef unsigned long long u64;
typedef struct { unsigned version; u64 total, reserved, free, used; } Mem2;
typedef struct { unsigned pid; u64 used; unsigned gi, ci; } Proc;
typedef void *Dev; /* line number + 1 */

static int line_of(int n, char *out) { /* how many lines; copies the n-th */
    const char *path = getenv("NVML_STUB_STATE");
    FILE *f = path ? fopen(path, "re") : NULL;
    char buf[4096];
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
static u64 num(const char *line, const char *key) { char v[4096]; return strtoull(get(line, key, v), NULL, 0); }
static int dev(Dev d, char *line) {
    int n = (int)(long)d - 1;
    if (n < 0 || n >= line_of(n, line)) return LOST;
    return (int)num(line, "fail");
}
#define DEV(d) char L[4096], v[4096]; int r_ = dev(d, L); (void)v; if (r_) return r_

int nvmlInitWithFlags(unsigned f) { (void)f; return line_of(0, NULL) < 0 ? NODRIVER : OK; }
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlShutdown(void) { return OK; }
const char *nvmlErrorString(int r) { return r == LOST ? "GPU is lost" : r == NODRIVER ? "Driver Not Loaded" : "error"; }
int nvmlSystemGetDriverVersion(char *s, unsigned n) { snprintf(s, n, "580.65.06"); return OK; }
static int nth(const char *kind, const char *key, u64 value, u64 nth, Dev *d) { /* the nth line of a kind */
    char L[4096];
    int count = line_of(0, NULL);
    for (int i = 0; i < count; i++) {
        line_of(i, L);
        if (strncmp(L, kind, 3) || (key && num(L, key) != value)) continue;
        if (key ? num(L, "slice") == nth : nth-- == 0) { *d = (Dev)(long)(i + 1); return OK; }
    }
    return NOTFOUND;
}
int nvmlDeviceGetCount_v2(unsigned *c) { Dev d; for (*c = 0; nth("gpu", NULL, 0, *c, &d) == OK; (*c)++) {} return OK; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, Dev *d) { return nth("gpu", NULL, 0, i, d); }
int nvmlDeviceGetUUID(Dev d, char *s, unsigned n) { DEV(d); snprintf(s, n, "%s", get(L, "uuid", v)); return OK; }
int nvmlDeviceGetName(Dev d, char *s, unsigned n) { DEV(d); snprintf(s, n, "%s", get(L, "name", v)); return OK; }
int nvmlDeviceGetMigMode(Dev d, unsigned *a, unsigned *b) {
    DEV(d);
    if (!strcmp(get(L, "mig", v), "-1")) return NOSUP;
    *a = *b = (unsigned)num(L, "mig");
    return OK;
}
int nvmlDeviceGetMaxMigDeviceCount(Dev d, unsigned *c) { DEV(d); *c = 7; return OK; }
int nvmlDeviceGetMigDeviceHandleByIndex(Dev d, unsigned i, Dev *m) {
    u64 index = 0;
    for (Dev other; nth("gpu", NULL, 0, index, &other) == OK && other != d; index++) {}
    return nth("mig", "gpu", index, i, m);
}
int nvmlDeviceGetMemoryInfo_v2(Dev d, Mem2 *m) {
    DEV(d);
    if (num(L, "nomem")) return NOSUP;
    m->total = num(L, "total"); m->used = num(L, "used"); m->reserved = 0; m->free = m->total - m->used;
    return OK;
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
    *count = n;
    return n > (p ? room : 0) ? SMALL : OK;
}
int nvmlDeviceGetGraphicsRunningProcesses_v3(Dev d, unsigned *count, Proc *p) { (void)p; DEV(d); *count = 0; return OK; }
