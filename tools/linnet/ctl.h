/* linnet ctl: what an operator asks of a running broker. */
#ifndef LINNET_TOOLS_CTL_H
#define LINNET_TOOLS_CTL_H

int ctl_run(int argc, char **argv);     /* behind "ctl"; the exit code */

#endif
