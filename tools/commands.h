// SPDX-License-Identifier: Apache-2.0
// The commands of the program `xinglin`: each takes its own arguments (argv[0] is the command's
// name as shown to the user) and returns the exit status: 0 done, 1 failed while running, 2 usage,
// 3 bad input file, 4 out of memory or disk, 5 verification failed.
#ifndef XL_TOOLS_COMMANDS_H
#define XL_TOOLS_COMMANDS_H

int convert_command(int argc, char **argv);
int run_command(int argc, char **argv);
int chat_command(int argc, char **argv);
int serve_command(int argc, char **argv);        // where the server is built, too
int clinic_command(int argc, char **argv);       // where the clinic is built, too
int clinic_draft_command(int argc, char **argv); // the same
int clinic_eval_command(int argc, char **argv);  // the same
int inspect_command(int argc, char **argv);
int eval_command(int argc, char **argv);
int bench_command(int argc, char **argv);

#endif
