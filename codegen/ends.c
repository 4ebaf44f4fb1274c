/* How LLVM ends the program when it cannot go on. */
#define _GNU_SOURCE                      /* RTLD_DEFAULT */
#include "codegen/codegen.h"

#include <dlfcn.h>
#include <string.h>
#include <unistd.h>

#include <llvm-c/ErrorHandling.h>

/* LLVM aborts when memory runs out or its code generator gives up. Those are ends with a message and status 1, at once:
 * other threads may be in the middle of it. */
static _Noreturn void end(const char *why)
{
    static const char start[] = "ptm: LLVM: ";
    ssize_t written = write(STDERR_FILENO, start, sizeof start - 1);
    written += write(STDERR_FILENO, why, strlen(why));
    written += write(STDERR_FILENO, "\n", 1);
    (void)written;
    _exit(1);
}

static void on_fatal_error(const char *reason) { end(reason); }

static void on_bad_allocation(void *context, const char *reason, bool with_diagnostics)
{
    (void)context, (void)reason, (void)with_diagnostics;
    end("out of memory");
}

static void on_failing_new(void) { end("out of memory"); }

/* Of the three ways of asking only the first is in the C API. The other two are C++, hence looked up by their names. */
void code_report_ends(void)
{
    LLVMResetFatalErrorHandler();
    LLVMInstallFatalErrorHandler(on_fatal_error);
    void (*remove_handler)(void), (*install)(void (*)(void *, const char *, bool), void *),
        (*(*set_new)(void (*)(void)))(void);
    void *found[] = {dlsym(RTLD_DEFAULT, "_ZN4llvm30remove_bad_alloc_error_handlerEv"),
                     dlsym(RTLD_DEFAULT, "_ZN4llvm31install_bad_alloc_error_handlerEPFvPvPKcbES0_"),
                     dlsym(RTLD_DEFAULT, "_ZSt15set_new_handlerPFvvE")};
    *(void **)&remove_handler = found[0];
    *(void **)&install = found[1];
    *(void **)&set_new = found[2];
    if (found[0] && found[1]) {
        remove_handler();
        install(on_bad_allocation, NULL);
    }
    if (found[2]) set_new(on_failing_new);
}
