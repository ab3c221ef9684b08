#include <criterion/criterion.h>
#include <stdio.h>

#include "common/base/assert.h"
#include "common/pipeline/stack_trace.h"

/* Each line of `text` has in front what must be said of it: '>' it begins an entry, '|' it continues one. */
static void expect(const char *text)
{
    struct cw_stack_traces *traces = cw_stack_traces_new();
    struct cw_stack_trace trace = {0};
    struct cw_str rest = cw_str_of(text), line;
    while (rest.len > 0 && cw_str_split(&rest, '\n', &line)) {
        cr_assert(line.len > 0 && (line.ptr[0] == '>' || line.ptr[0] == '|'), "%.*s",
                  CW_STR_ARG(line));
        bool got = cw_stack_trace_continues(traces, &trace, cw_str_sub(line, 1, line.len));
        cr_expect_eq(got, line.ptr[0] == '|', "%.*s", CW_STR_ARG(line));
    }
    cw_stack_traces_free(&traces);
}

Test(stack_trace, java)
{
    expect(
        ">2026-01-05 10:00:00,123 ERROR [http-1] c.e.Orders - order failed\n"
        "|java.lang.IllegalStateException: cart is empty\n"
        "|\tat com.example.Orders.place(Orders.java:42) ~[app.jar:1.2]\n"
        "|\tat com.example.Orders$$Lambda$14/0x0000000800c03000.run(Unknown Source)\n"
        "|\tat java.base/java.lang.Thread.run(Thread.java:833)\n"
        "|\tSuppressed: java.io.IOException: close\n"
        "|\t\tat com.example.Res.close(Res.java:7)\n"
        "|\t\t... 3 more\n"
        "|Caused by: java.sql.SQLException: no connection\n"
        "|\tat com.example.Db.<init>(Db.java:9)\n"
        "|\t... 21 common frames omitted\n"
        ">2026-01-05 10:00:01,000 INFO [http-1] c.e.Orders - next\n"
        ">2026-01-05 10:00:02,000 INFO [http-1] c.e.Orders - and one more\n"
        ">Exception in thread \"main\" java.lang.NullPointerException: Cannot invoke \"String.length()\"\n"
        "|\tat Main.main(Main.java:3)\n"
        ">java.lang.OutOfMemoryError: Java heap space\n"
        "|\tat Main.main(Main.java:4)\n"
        ">2026-01-05 10:00:03,000 INFO done\n");
}

Test(stack_trace, python)
{
    expect(">ERROR:root:task failed\n"
           "|Traceback (most recent call last):\n"
           "|  File \"/app/x.py\", line 3, in <module>\n"
           "|    f()\n"
           "|    ~^^\n"
           "|  [Previous line repeated 996 more times]\n"
           "|KeyError: 'a'\n"
           "|\n"
           "|During handling of the above exception, another exception occurred:\n"
           "|\n"
           "|Traceback (most recent call last):\n"
           "|  File \"/app/x.py\", line 5, in f\n"
           "|    raise requests.exceptions.ConnectionError('x')\n"
           "|requests.exceptions.ConnectionError: x\n"
           ">INFO:root:next task\n"
           ">Traceback (most recent call last):\n"
           "|  File \"<stdin>\", line 1, in <module>\n"
           "|AssertionError\n"
           "|\n"
           ">INFO:root:next task\n"
           ">  + Exception Group Traceback (most recent call last):\n"
           "|  |   File \"x.py\", line 1, in <module>\n"
           "|  | ExceptionGroup: two (2 sub-exceptions)\n"
           "|  +-+---------------- 1 ----------------\n"
           "|    | ValueError: 1\n"
           "|    +------------------------------------\n"
           ">2026-01-05 fine\n");
}

Test(stack_trace, go)
{
    expect(">2026/01/05 10:00:00 starting\n"
           ">panic: runtime error: invalid memory address or nil pointer dereference [recovered]\n"
           "|\tpanic: runtime error: invalid memory address or nil pointer dereference\n"
           "|[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x47e1c5]\n"
           "|\n"
           "|goroutine 1 [running]:\n"
           "|main.(*T).f(...)\n"
           "|\t/tmp/x.go:9\n"
           "|main.main()\n"
           "|\t/tmp/x.go:5 +0x1d\n"
           "|created by net/http.(*Server).Serve in goroutine 1\n"
           "|\t/usr/local/go/src/net/http/server.go:3285 +0x4b4\n"
           "|exit status 2\n"
           ">2026/01/05 10:00:01 http: panic serving 127.0.0.1:5: boom\n"
           "|goroutine 34 [running]:\n"
           "|net/http.(*conn).serve.func1()\n"
           "|\t/usr/local/go/src/net/http/server.go:1868 +0xb9\n"
           ">level=info msg=\"served main.main()\"\n"
           ">fatal error: all goroutines are asleep - deadlock!\n"
           "|\n"
           "|goroutine 1 [chan receive]:\n");
}

Test(stack_trace, node)
{
    expect(
        ">{\"level\":30,\"msg\":\"up\"}\n"
        ">/app/server.js:12\n"
        "|    throw new TypeError('x is not a function');\n"
        "|    ^\n"
        "|\n"
        "|TypeError: x is not a function\n"
        "|    at Object.<anonymous> (/app/server.js:12:11)\n"
        "|    at Module._compile (node:internal/modules/cjs/loader:1256:14)\n"
        "|    at async Promise.all (index 0)\n"
        "|    at process.processTicksAndRejections [as _tick] (node:internal/process/task_queues:95:5)\n"
        "|    at node:internal/main/run_main_module:23:47 {\n"
        "|  code: 'ERR_X',\n"
        "|  errno: -2\n"
        "|}\n"
        "|\n"
        "|Node.js v18.17.0\n"
        ">{\"level\":30,\"msg\":\"up\"}\n"
        ">Error [ERR_HTTP]: late\n"
        "|    at new Foo (file:///app/x.mjs:1:2)\n"
        "|    at /app/y.js:3:4\n"
        ">GET /at/home (200)\n");
}

Test(stack_trace, ruby)
{
    expect(">app.rb:3:in `fetch': key not found: :a (KeyError)\n"
           "|\tfrom app.rb:3:in `f'\n"
           "|\tfrom app.rb:6:in `<main>'\n"
           ">I, [2026-01-05T10:00:00 #1]  INFO -- : next\n"
           ">F, [2026-01-05T10:00:00 #1] FATAL -- : \n"
           "|NoMethodError (undefined method `name' for nil:NilClass):\n"
           "|\n"
           "|app/models/user.rb:5:in `greet'\n"
           "|app/controllers/users_controller.rb:9:in 'Users#show'\n"
           ">I, [2026-01-05T10:00:01 #1]  INFO -- : next\n");
}

Test(stack_trace, dotnet)
{
    expect(">Unhandled exception. System.InvalidOperationException: outer\n"
           "| ---> System.ArgumentNullException: Value cannot be null. (Parameter 'x')\n"
           "|   at App.Svc.Load(String x) in /src/Svc.cs:line 12\n"
           "|   at App.Svc.<RunAsync>d__5.MoveNext()\n"
           "|   --- End of inner exception stack trace ---\n"
           "|--- End of stack trace from previous location ---\n"
           "|   at App.Program.Main(String[] args) in /src/Program.cs:line 7\n"
           ">info: App[0]\n"
           ">fail: App[0] unhandled\n"
           "|System.IO.IOException: disk\n"
           "|   at App.Disk.Write()\n"
           ">info: App[0]\n");
}

Test(stack_trace, php)
{
    expect(">PHP Fatal error:  Uncaught Exception: boom in /app/x.php:3\n"
           "|Stack trace:\n"
           "|#0 /app/x.php(7): f()\n"
           "|#1 [internal function]: Foo->bar()\n"
           "|#2 {main}\n"
           "|  thrown in /app/x.php on line 3\n"
           ">next\n");
}

Test(stack_trace, php_chains_and_laravel)
{
    expect(
        ">PHP Fatal error:  Uncaught Exception: boom in /app/x.php:3\n"
        "|Stack trace:\n"
        "|#0 {main}\n"
        "|Next RuntimeException: again in /app/x.php:5\n"
        "|Stack trace:\n"
        "|#0 {main}\n"
        "|  thrown in /app/x.php on line 3\n"
        ">[2026-01-05 10:00:00] production.ERROR: boom {\"exception\":\"[object] (Exception(code: 0): boom at /app/x.php:3)\n"
        "|[stacktrace]\n"
        "|#0 /app/vendor/x.php(7): f()\n"
        "|#1 {main}\n"
        "|\"}\n"
        ">[2026-01-05 10:00:01] production.INFO: fine\n");
}

Test(stack_trace, rust)
{
    expect(
        ">thread 'main' panicked at src/main.rs:4:5:\n"
        "|assertion `left == right` failed\n"
        "|  left: 1\n"
        "| right: 2\n"
        "|stack backtrace:\n"
        "|   0: rust_begin_unwind\n"
        "|             at /rustc/abc/library/std/src/panicking.rs:595:5\n"
        "|   1: core::panicking::panic_fmt\n"
        "|note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.\n"
        ">[2026-01-05T10:00:00Z INFO  app] up\n"
        ">thread 'tokio-runtime-worker' panicked at 'boom', src/x.rs:1:1\n"
        "|note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n"
        ">Error: no config\n"
        "|\n"
        "|Caused by:\n"
        "|    0: open\n"
        "|    1: No such file or directory (os error 2)\n"
        ">[2026-01-05T10:00:00Z INFO  app] up\n");
}

Test(stack_trace, ordinary_lines_are_not_joined)
{
    expect(">2026-01-05T10:00:00Z level=error msg=failed\n"
           ">2026-01-05T10:00:00Z level=info msg=ok\n"
           ">ERROR something failed\n"
           ">ERROR something else failed\n"
           ">  an indented line\n"
           ">   at least 3 (three) of them\n"
           ">\tat 10:00 we met\n"
           ">#5 is alive\n"
           ">from here on\n"
           ">{\"a\":1}\n"
           ">127.0.0.1 - - [05/Jan/2026:10:00:00 +0000] \"GET / HTTP/1.1\" 500 12\n"
           ">Jan  5 10:00:00 host app[1]: error: disk full\n"
           ">goroutines: 12\n"
           ">Errors found: 0\n"
           ">\n"
           ">\n"
           ">Stack size: 8\n"
           ">\xff\xfe\n");
}

Test(stack_trace, the_first_line_begins_an_entry_whatever_it_is)
{
    expect(">\tat com.example.Orders.place(Orders.java:42)\n"
           "|\tat com.example.Orders.place(Orders.java:43)\n");
    expect(">ERROR x\r\n"
           "|java.lang.Error: y\r\n"
           "|\tat a.b(C.java:1)\r\n");
}
