/* linnet passwd: files of passwords. */
#ifndef LINNET_TOOLS_PASSWD_H
#define LINNET_TOOLS_PASSWD_H

int passwd_run(int argc, char **argv);          /* what is behind "passwd"; the exit code */

#endif
