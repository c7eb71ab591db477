// Installed setuid root: with no_new_privs it stays the caller's, and critest reads which from this line.
#include <stdio.h>
#include <unistd.h>

int main(void) {
  printf("Effective uid: %d\n", geteuid());
  return 0;
}
