/* `linnet bench`: a load generator. */
#ifndef LINNET_TOOLS_LINNET_BENCH_BENCH_H
#define LINNET_TOOLS_LINNET_BENCH_BENCH_H

/* argv[0] is the first word behind "bench". Returns the exit code. */
int bench_run(int argc, char **argv);

#endif
