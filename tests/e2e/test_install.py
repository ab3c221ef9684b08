"""What `meson install` puts where, and that it is well formed."""
import os
import re
import subprocess

import pytest

from programs import BUILD

PROGRAMS = ("cordwood", "cordwood-ingester", "cordwood-shipper")
PREFIX = "usr/local"


def run(*argv, **more):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120, **more)
    return done.returncode, done.stdout.decode()


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """The installed files, below a folder of their own."""
    destination = tmp_path_factory.mktemp("destination")
    status, text = run("meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", str(destination))
    assert status == 0, text
    return destination / PREFIX


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_documents_and_completions_are_in_place(tree, program):
    assert os.access(tree / "bin" / program, os.X_OK)
    assert (tree / "share/man/man1" / (program + ".1")).stat().st_size > 1000
    assert (tree / "share/bash-completion/completions" / (program + ".bash")).stat().st_size > 500
    assert (tree / "share/zsh/site-functions" / ("_" + program)).stat().st_size > 500
    assert (tree / "share/fish/vendor_completions.d" / (program + ".fish")).stat().st_size > 500


def test_nothing_else_is_installed_but_units_and_examples(tree):
    found = {str(p.relative_to(tree).parent) for p in tree.rglob("*") if p.is_file()}
    assert found == {"bin", "share/man/man1", "share/bash-completion/completions", "share/zsh/site-functions", "share/fish/vendor_completions.d",
                     "lib/systemd/system", "share/doc/cordwood/examples"}


@pytest.mark.parametrize("program", PROGRAMS)
def test_man_pages_have_no_warnings(tree, program):
    assert run("groff", "-man", "-ww", "-z", str(tree / "share/man/man1" / (program + ".1"))) == (0, "")


@pytest.mark.parametrize("program", PROGRAMS)
def test_completions_are_accepted_by_their_shells(tree, program):
    assert run("bash", "-n", str(tree / "share/bash-completion/completions" / (program + ".bash"))) == (0, "")
    assert run("zsh", "-n", str(tree / "share/zsh/site-functions" / ("_" + program))) == (0, "")
    assert run("fish", "-n", str(tree / "share/fish/vendor_completions.d" / (program + ".fish"))) == (0, "")


@pytest.mark.parametrize("program", PROGRAMS)
def test_completions_are_what_the_programs_print(tree, program):
    for shell, path in (("bash", "bash-completion/completions/%s.bash"), ("fish", "fish/vendor_completions.d/%s.fish"), ("zsh", "zsh/site-functions/_%s")):
        want = (tree / "share" / (path % program)).read_text(encoding="utf-8")
        for words in (("--completion", shell), ("--completion=" + shell,)):
            assert run(str(tree / "bin" / program), *words) == (0, want)
    assert run(str(tree / "bin" / program), "--completion", "csh")[0] == 2


def test_bash_completes_the_real_flags(tree):
    script = ". %s; COMP_WORDS=(cordwood query --out); COMP_CWORD=2; _cordwood; echo ${COMPREPLY[@]}"
    assert run("bash", "-uc", script % (tree / "share/bash-completion/completions/cordwood.bash")) == (0, "--output\n")


def test_fish_completes_the_real_flags(tree):
    path = tree / "share/fish/vendor_completions.d"
    for program, line, want in (("cordwood", "cordwood query --out", "--output"), ("cordwood-shipper", "cordwood-shipper --dry", "--dry-run"),
                                ("cordwood", "cordwood snap", "snapshot")):
        status, text = run("fish", "--no-config", "-c", "source %s/%s.fish; complete -C '%s'" % (path, program, line))
        assert status == 0 and [row.split("\t")[0] for row in text.splitlines()] == [want], text


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_and_version_of_every_program_and_subcommand(tree, program):
    path = str(tree / "bin" / program)
    status, text = run(path, "--help")
    assert status == 0 and text.startswith("Usage: " + program)
    assert run(path, "--version")[0] == 0
    commands = re.findall(r"^  ([a-z][a-z-]*)  ", text.partition("\nCommands:\n")[2].partition("\n\n")[0], re.M)
    assert len(commands) >= {"cordwood": 9, "cordwood-shipper": 3, "cordwood-ingester": 0}[program]
    for command in commands:
        status, text = run(path, command, "--help")
        assert status == 0 and text.startswith("Usage: %s %s" % (program, command))
        assert "--no-such-flag" in run(path, command, "--no-such-flag")[1]


@pytest.mark.parametrize("name", ["cordwood-ingester.service", "cordwood-shipper.service"])
def test_units_are_verified_by_systemd(tree, tmp_path, name):
    unit = (tree / "lib/systemd/system" / name).read_text()
    assert "@" not in unit.replace("@system-service", "")
    # The programs are not where the unit will find them: they lie below the destination.
    assert "ExecStart=/%s/bin/" % PREFIX in unit
    there = tmp_path / name
    there.write_text(unit.replace("/%s/bin/" % PREFIX, "%s/bin/" % tree))
    assert run("systemd-analyze", "verify", "--man=no", str(there)) == (0, "")
    # And it does verify: a word that systemd does not know is told.
    there.write_text(unit.replace("Restart=", "Restrat="))
    assert "Restrat" in run("systemd-analyze", "verify", "--man=no", str(there))[1]
