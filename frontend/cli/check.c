/* ptm check: every error of a model file at once. */
#include "frontend/cli/session.h"

int command_check(const Options *options)
{
    Session s;
    int status = EXIT_BAD_INPUT;
    if (session_open(&s, options)) {
        model_check(s.model, s.diagnostics);
        if (session_report(&s)) {
            int warnings = diag_warning_count(s.diagnostics);
            printf("%s: no errors", options->argument);
            if (warnings) printf(", %d warning%s", warnings, warnings == 1 ? "" : "s");
            putchar('\n');
            status = EXIT_GOOD;
        }
    }
    session_close(&s);
    return status;
}
