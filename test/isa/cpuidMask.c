// Makes patched onnxruntime libraries see an x86 CPU that ends at AVX2 (no AVX-512, no VNNI of either kind, no AMX),
// while everything still runs natively. Loaded with LD_PRELOAD by avx2.mjs, which describes the whole method.
//
// Three parts:
//  - the SIGILL handler does the work of each `cpuid` that avx2.mjs replaced by TRAP, with the feature bits masked;
//  - `sigaction` is interposed, because Node resets every signal to its default when it starts;
//  - `dlopen` is interposed, so that the program loads the patched library in place of the one it asks for.
#define _GNU_SOURCE
#include <cpuid.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <ucontext.h>
#include <unistd.h>

// 0F 0A is unassigned: it raises #UD on every x86 CPU, has cpuid's length, and unlike ud2 (0F 0B) no compiler emits
// it, so a genuine trap in the program is never mistaken for a cpuid.
static const unsigned char TRAP[2] = {0x0f, 0x0a};

#define BIT(n) (1u << (n))

// Bit positions: Intel SDM vol. 2A, CPUID, "Structured Extended Feature Flags Enumeration Leaf" (07H).
static const uint32_t LEAF7_0_EBX = // AVX512 F, DQ, IFMA, PF, ER, CD, BW, VL
    BIT(16) | BIT(17) | BIT(21) | BIT(26) | BIT(27) | BIT(28) | BIT(30) | BIT(31);
static const uint32_t LEAF7_0_ECX = // AVX512 VBMI, VBMI2, VNNI, BITALG, VPOPCNTDQ
    BIT(1) | BIT(6) | BIT(11) | BIT(12) | BIT(14);
static const uint32_t LEAF7_0_EDX = // AVX512 4VNNIW, 4FMAPS, VP2INTERSECT, FP16; AMX BF16, TILE, INT8
    BIT(2) | BIT(3) | BIT(8) | BIT(22) | BIT(23) | BIT(24) | BIT(25);
static const uint32_t LEAF7_1_EAX = // AVX-VNNI, AVX512-BF16, AMX-FP16, AVX-IFMA
    BIT(4) | BIT(5) | BIT(21) | BIT(23);
static const uint32_t LEAF7_1_EDX = // AVX-VNNI-INT8, AVX-NE-CONVERT, AMX-COMPLEX, AVX-VNNI-INT16, AVX10
    BIT(4) | BIT(5) | BIT(8) | BIT(10) | BIT(19);

typedef int (*SigactionFn)(int, const struct sigaction *, struct sigaction *);
typedef void *(*DlopenFn)(const char *, int);

static struct sigaction chained; // what the program wants done on SIGILL; zero is SIG_DFL

static SigactionFn realSigaction(void) { return (SigactionFn)dlsym(RTLD_NEXT, "sigaction"); }

static void passOn(int signo, siginfo_t *info, void *context) {
  if (chained.sa_flags & SA_SIGINFO) {
    chained.sa_sigaction(signo, info, context);
  } else if (chained.sa_handler == SIG_DFL || chained.sa_handler == SIG_IGN) {
    // A synchronous SIGILL cannot be ignored: returning with the default restored lets the instruction fault again.
    struct sigaction standard = {.sa_handler = SIG_DFL};
    realSigaction()(SIGILL, &standard, NULL);
  } else {
    chained.sa_handler(signo);
  }
}

static void onIllegal(int signo, siginfo_t *info, void *context) {
  greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
  if (memcmp((const void *)registers[REG_RIP], TRAP, sizeof TRAP) != 0) {
    passOn(signo, info, context);
    return;
  }
  uint32_t leaf = (uint32_t)registers[REG_RAX], subleaf = (uint32_t)registers[REG_RCX];
  uint32_t eax, ebx, ecx, edx;
  __cpuid_count(leaf, subleaf, eax, ebx, ecx, edx);
  if (leaf == 7 && subleaf == 0) {
    ebx &= ~LEAF7_0_EBX;
    ecx &= ~LEAF7_0_ECX;
    edx &= ~LEAF7_0_EDX;
  } else if (leaf == 7 && subleaf == 1) {
    eax &= ~LEAF7_1_EAX;
    edx &= ~LEAF7_1_EDX;
  }
  registers[REG_RAX] = eax; // cpuid clears the upper halves
  registers[REG_RBX] = ebx;
  registers[REG_RCX] = ecx;
  registers[REG_RDX] = edx;
  registers[REG_RIP] += sizeof TRAP;
}

__attribute__((constructor)) static void install(void) {
  struct sigaction action = {.sa_sigaction = onIllegal, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK};
  realSigaction()(SIGILL, &action, &chained);
}

int sigaction(int signo, const struct sigaction *action, struct sigaction *previous) {
  if (signo != SIGILL) return realSigaction()(signo, action, previous);
  struct sigaction old = chained;
  if (action) chained = *action;
  if (previous) *previous = old;
  return 0;
}

static void stop(const char *why, const char *path) {
  fprintf(stderr, "avx2 mask: %s: %s\n", why, path);
  _exit(78);
}

static long long sizeOf(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 ? (long long)info.st_size : -1;
}

// ISA_MASK_REDIRECT is a list of `original=patched`, separated by `:`. A library is recognised by its file name and
// by its size, so that an installed copy elsewhere is masked too, and another build stops the program instead of
// quietly running unmasked.
static int redirect(const char *asked, char *patched, size_t room) {
  const char *list = getenv("ISA_MASK_REDIRECT");
  const char *name = strrchr(asked, '/') ? strrchr(asked, '/') + 1 : asked;
  if (strncmp(name, "onnxruntime_binding.node", 24) != 0 && strncmp(name, "onnxruntime_pybind11_state.", 27) != 0) return 0;
  if (!list) stop("ISA_MASK_REDIRECT is not set", asked);
  char *copy = strdup(list), *rest = NULL;
  for (char *entry = strtok_r(copy, ":", &rest); entry; entry = strtok_r(NULL, ":", &rest)) {
    char *target = strchr(entry, '=');
    if (!target) continue;
    *target++ = '\0';
    const char *known = strrchr(entry, '/') ? strrchr(entry, '/') + 1 : entry;
    if (strcmp(known, name) == 0 && sizeOf(entry) == sizeOf(asked) && strlen(target) < room) {
      strcpy(patched, target);
      free(copy);
      return 1;
    }
  }
  stop("this library has no patched copy", asked);
  return 0;
}

void *dlopen(const char *path, int flags) {
  DlopenFn real = (DlopenFn)dlsym(RTLD_NEXT, "dlopen");
  char patched[4096];
  return real(path && redirect(path, patched, sizeof patched) ? patched : path, flags);
}
