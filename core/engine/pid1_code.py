"""The machine code of `pid1`: on the left what the processor reads, on the right what it means, `;` for comments.

A test has the right-hand side assembled, where there is an assembler, and compares. syscalls(2), signal(7).
"""

X86_64 = """
_start:  ; argc, argv[2:], envp; then hold every signal back, keeping the old mask
    4c8b2424          mov r12, [rsp]
    4c8d6c2418        lea r13, [rsp+24]
    4e8d74e410        lea r14, [rsp+r12*8+16]
    4881eca0000000    sub rsp, 160
    6aff              push -1
    31ff              xor edi, edi
    4889e6            mov rsi, rsp
    488d542408        lea rdx, [rsp+8]
    6a08              push 8
    415a              pop r10
    6a0e              push 14                       ; rt_sigprocmask
    58                pop rax
    0f05              syscall
    6a39              push 57                       ; fork
    58                pop rax
    0f05              syscall
    85c0              test eax, eax
    746d              jz child
    0f88d4000000      js failed
    89c3              mov ebx, eax
wait:  ; wait for any signal; hand it to the program, but collect the dead for SIGCHLD (17)
    4889e7            mov rdi, rsp
    488d742410        lea rsi, [rsp+16]
    31d2              xor edx, edx
    6a08              push 8
    415a              pop r10
    b880000000        mov eax, 128                  ; rt_sigtimedwait
    0f05              syscall
    83f811            cmp eax, 17
    740f              je reap
    85c0              test eax, eax
    7ee2              jle wait
    89c6              mov esi, eax
    89df              mov edi, ebx
    6a3e              push 62                       ; kill
    58                pop rax
    0f05              syscall
    ebd7              jmp wait
reap:  ; collect all who are dead; when the program is among them, end as it did
    4883cfff          or rdi, -1
    488db42490000000  lea rsi, [rsp+144]
    6a01              push 1
    5a                pop rdx
    4531d2            xor r10d, r10d
    6a3d              push 61                       ; wait4
    58                pop rax
    0f05              syscall
    85c0              test eax, eax
    7ebc              jle wait
    39d8              cmp eax, ebx
    75e1              jne reap
    8b842490000000    mov eax, [rsp+144]
    89c7              mov edi, eax
    83e77f            and edi, 127
    7405              jz exited
    83ef80            sub edi, -128
    eb03              jmp leave
exited:
    0fb6fc            movzx edi, ah
leave:
    b8e7000000        mov eax, 231                  ; exit_group
    0f05              syscall
child:  ; a process group of its own, in front where there is a terminal (TIOCSPGRP); the old mask; the program
    31ff              xor edi, edi
    31f6              xor esi, esi
    6a6d              push 109                      ; setpgid
    58                pop rax
    0f05              syscall
    6a27              push 39                       ; getpid
    58                pop rax
    0f05              syscall
    89842490000000    mov [rsp+144], eax
    31ff              xor edi, edi
    be10540000        mov esi, 0x5410
    488d942490000000  lea rdx, [rsp+144]
    6a10              push 16                       ; ioctl
    58                pop rax
    0f05              syscall
    6a02              push 2
    5f                pop rdi
    488d742408        lea rsi, [rsp+8]
    31d2              xor edx, edx
    6a08              push 8
    415a              pop r10
    6a0e              push 14                       ; rt_sigprocmask
    58                pop rax
    0f05              syscall
    4c89f3            mov rbx, r14
last:  ; the last variable is ours: the program's path behind 11 characters; it goes
    4883c308          add rbx, 8
    48833b00          cmp qword ptr [rbx], 0
    75f6              jne last
    4883eb08          sub rbx, 8
    488b3b            mov rdi, [rbx]
    48832300          and qword ptr [rbx], 0
    4883c70b          add rdi, 11
    4c89ee            mov rsi, r13
    4c89f2            mov rdx, r14
    6a3b              push 59                       ; execve
    58                pop rax
    0f05              syscall
    83f8fe            cmp eax, -2
    7505              jne failed
    6a7f              push 127
    5f                pop rdi
    eb8c              jmp leave
failed:  ; 126; 127 where there is no such file
    6a7e              push 126
    5f                pop rdi
    eb87              jmp leave
"""

AARCH64 = """
_start:  ; argc, argv[2:], envp; then hold every signal back, keeping the old mask
    f30340f9          ldr x19, [sp]
    f4630091          add x20, sp, #24
    f56f338b          add x21, sp, x19, lsl #3
    b5420091          add x21, x21, #16
    ffc302d1          sub sp, sp, #176
    00008092          mov x0, #-1
    e00300f9          str x0, [sp]
    000080d2          mov x0, #0
    e1030091          mov x1, sp
    e2230091          add x2, sp, #8
    030180d2          mov x3, #8
    e81080d2          mov x8, #135                  ; rt_sigprocmask
    010000d4          svc #0
    200280d2          mov x0, #17
    010080d2          mov x1, #0
    020080d2          mov x2, #0
    030080d2          mov x3, #0
    040080d2          mov x4, #0
    881b80d2          mov x8, #220                  ; clone
    010000d4          svc #0
    800400b4          cbz x0, child
    6008f8b7          tbnz x0, #63, failed
    f60300aa          mov x22, x0
wait:  ; wait for any signal; hand it to the program, but collect the dead for SIGCHLD (17)
    e0030091          mov x0, sp
    e1430091          add x1, sp, #16
    020080d2          mov x2, #0
    030180d2          mov x3, #8
    281180d2          mov x8, #137                  ; rt_sigtimedwait
    010000d4          svc #0
    1f4400f1          cmp x0, #17
    00010054          b.eq reap
    1f0000f1          cmp x0, #0
    edfeff54          b.le wait
    e10300aa          mov x1, x0
    e00316aa          mov x0, x22
    281080d2          mov x8, #129                  ; kill
    010000d4          svc #0
    f2ffff17          b wait
reap:  ; collect all who are dead; when the program is among them, end as it did
    00008092          mov x0, #-1
    e1430291          add x1, sp, #144
    220080d2          mov x2, #1
    030080d2          mov x3, #0
    882080d2          mov x8, #260                  ; wait4
    010000d4          svc #0
    1f0000f1          cmp x0, #0
    4dfdff54          b.le wait
    1f0016eb          cmp x0, x22
    e1feff54          b.ne reap
    e19340b9          ldr w1, [sp, #144]
    20180072          ands w0, w1, #127
    60000054          b.eq exited
    00000211          add w0, w0, #128
    02000014          b leave
exited:
    203c0853          ubfx w0, w1, #8, #8
leave:
    c80b80d2          mov x8, #94                   ; exit_group
    010000d4          svc #0
child:  ; a process group of its own, in front where there is a terminal (TIOCSPGRP); the old mask; the program
    000080d2          mov x0, #0
    010080d2          mov x1, #0
    481380d2          mov x8, #154                  ; setpgid
    010000d4          svc #0
    881580d2          mov x8, #172                  ; getpid
    010000d4          svc #0
    e09300b9          str w0, [sp, #144]
    000080d2          mov x0, #0
    01828ad2          mov x1, #0x5410
    e2430291          add x2, sp, #144
    a80380d2          mov x8, #29                   ; ioctl
    010000d4          svc #0
    400080d2          mov x0, #2
    e1230091          add x1, sp, #8
    020080d2          mov x2, #0
    030180d2          mov x3, #8
    e81080d2          mov x8, #135                  ; rt_sigprocmask
    010000d4          svc #0
    e30315aa          mov x3, x21
last:  ; the last variable is ours: the program's path behind 11 characters; it goes
    648c40f8          ldr x4, [x3, #8]!
    e4ffffb5          cbnz x4, last
    608c5ff8          ldr x0, [x3, #-8]!
    7f0000f9          str xzr, [x3]
    002c0091          add x0, x0, #11
    e10314aa          mov x1, x20
    e20315aa          mov x2, x21
    a81b80d2          mov x8, #221                  ; execve
    010000d4          svc #0
    1f0800b1          cmn x0, #2
    61000054          b.ne failed
    e00f80d2          mov x0, #127
    dfffff17          b leave
failed:  ; 126; 127 where there is no such file
    c00f80d2          mov x0, #126
    ddffff17          b leave
"""

LISTINGS = {"x86_64": X86_64, "aarch64": AARCH64}
