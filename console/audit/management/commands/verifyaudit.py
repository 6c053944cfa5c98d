"""Verify the hash chain of the audit log."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from console.audit.models import Seal
from console.audit.services.verify import Report, clear_problem, verify
from console.core.clock import now


class Command(BaseCommand):
    help = (
        "Check the hash chain over the audit log; exits with 1 when a record was changed, removed, added or reordered."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--from", dest="first", type=int, default=1, help="the first block to check")
        parser.add_argument("--content", action="store_true", help="compare stored inputs and outputs, too")
        parser.add_argument(
            "--expect",
            metavar="NUMBER:SHA256",
            help="a block's hash you kept elsewhere; it shows that the end of the chain was not cut off or made anew",
        )

    def handle(self, *args: Any, **options: Any) -> str:
        report, found, began = Report(), 0, now()
        if options["expect"]:
            found += self._expect(options["expect"])
        for problem in verify(first=max(options["first"], 1), content=options["content"], report=report):
            self.stderr.write(str(problem))
            found += 1
        if found:
            raise CommandError(f"The audit log is not what was sealed: {found} problems.", returncode=1)
        if options["first"] <= 1:
            clear_problem(began)
        if not report.blocks:
            return "There is no sealed block yet."
        gone = (
            f" The rows of {report.dropped} blocks are past their retention; their links hold."
            if report.dropped
            else ""
        )
        return (
            f"{report.rows} records in {report.blocks} blocks are what was sealed.{gone}\n"
            f"Head: {report.last_number}:{report.head.hex()}\n"
            "Keep the head somewhere else and give it to --expect next time."
        )

    def _expect(self, text: str) -> int:
        number, _, digest = text.partition(":")
        if not number.isdecimal() or len(digest) != 64:
            raise CommandError("Write --expect as NUMBER:SHA256, as this command printed it.")
        block = Seal.objects.filter(number=int(number)).first()
        if block is not None and bytes(block.sha256).hex() == digest.lower():
            return 0
        self.stderr.write(f"Block {number}: it is {'missing' if block is None else 'not the one you kept'}")
        return 1
