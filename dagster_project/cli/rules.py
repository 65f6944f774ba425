"""`channelsafe rules`: what texts for customers may say, and what the scanner looks for."""

import click

from dagster_project.application.rule_book import RuleBook, rule_book
from dagster_project.cli.output import json_option, print_json
from dagster_project.cli.rules_page import rules_page


@click.command()
@click.option("--markdown", is_flag=True, help="Print the page docs/writing_rules.md, which is made from the rules.")
@json_option
def rules(*, markdown: bool, as_json: bool) -> None:
    """List the writing rules (N: may not be said, M: must be done) and the rules of the scanner.

    Every rule says what it blocks or demands, why, where it comes from and how it is enforced. Examples of secrets and
    personal data are cut short.
    """
    if markdown and as_json:
        raise click.UsageError("--markdown and --json exclude each other.")
    book = rule_book()
    if as_json:
        print_json(book)
    elif markdown:
        click.echo(rules_page(book), nl=False)
    else:
        click.echo("\n".join(_lines(book)))


def _lines(book: RuleBook) -> list[str]:
    width = max(len(one.id) for one in book.scanner_rules)
    writing = [f"{one.id:<{width}}  {_effect(one.severity)}  {one.title}" for one in book.writing_rules]
    return [*writing, *(f"{one.id:<{width}}  finds   {one.what}" for one in book.scanner_rules)]


def _effect(severity: str) -> str:
    return "warns " if severity == "warn" else "blocks"
