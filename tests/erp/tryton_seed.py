"""Fills a fresh Tryton database: `tryton_seed.py CONF DATABASE KEY-FILE`.

It is run by the interpreter of Tryton's own environment, and nothing of ours imports it.
"""
# ruff: noqa: E402 - the settings have to be there before the modules are

import datetime as dt
import sys
from decimal import Decimal

from trytond import config as settings

CONF, DATABASE, KEY_FILE = sys.argv[1:]
settings.update_etc(CONF)

from proteus import Model, config
from trytond.modules.account.tests.tools import create_chart, create_fiscalyear, get_accounts
from trytond.modules.account_invoice.tests.tools import (
    create_payment_term,
    set_fiscalyear_invoice_sequences,
)
from trytond.modules.company.tests.tools import create_company, get_company
from trytond.modules.currency.tests.tools import get_currency
from trytond.pool import Pool
from trytond.transaction import Transaction


def let_in() -> None:
    """Give the administrator every group, and a key for the REST interface."""
    Pool.start()
    pool = Pool(DATABASE)
    pool.init()
    with Transaction().start(DATABASE, 0) as transaction:
        user = pool.get("res.user")
        application = pool.get("res.user.application")
        (admin,) = user.search([("login", "=", "admin")])
        groups = [each.id for each in pool.get("res.group").search([])]
        user.write([admin], {"groups": [("add", groups)]})
        (made,) = application.create([{"user": admin.id, "application": "rest"}])
        application.validate([made])
        with open(KEY_FILE, "w") as file:
            file.write(made.key)
        transaction.commit()


def click(model, *buttons):
    """Push buttons of a record one after another."""
    for each in buttons:
        model.click(each)


def fill() -> None:
    """A company with accounts, two products, three parties, eight orders, thirteen purchases."""
    config.set_trytond(f"sqlite:///{DATABASE}", user="admin", config_file=CONF)
    create_company(currency=get_currency("USD"))
    company = get_company()
    user = Model.get("res.user")
    config.get_config()._context = user.get_preferences(True, {})
    create_chart(company=company)
    year = set_fiscalyear_invoice_sequences(create_fiscalyear(company=company))
    year.click("create_period")
    accounts = get_accounts(company)
    category = Model.get("product.category")(name="Goods", accounting=True)
    category.account_expense, category.account_revenue = accounts["expense"], accounts["revenue"]
    category.save()
    (unit,) = Model.get("product.uom").find([("name", "=", "Unit")])
    products = []
    for code, name, price, cost in (
        ("LAP-14", 'Laptop 14"', "1299.00", "900"),
        ("MON-27", 'Monitor 27"', "349.00", "220"),
    ):
        template = Model.get("product.template")(name=name, code=code, type="goods")
        template.default_uom, template.account_category = unit, category
        template.list_price, template.purchasable, template.salable = Decimal(price), True, True
        template.cost_price_method = "fixed"
        template.products[0].cost_price = Decimal(cost)
        template.save()
        products.append(template.products[0])
    party = Model.get("party.party")
    supplier, customer = party(name="Supplier 1"), party(name="Customer 1")
    customer.contact_mechanisms.new(type="email", value="customer@example.com")
    supplier.save(), customer.save()
    term = create_payment_term()
    term.save()
    stock(products[1])
    sell(customer, term, products[1])
    buy(supplier, term, products)
    origin = Model.get("ir.model").find([("name", "=", "sale.sale")])[0]
    Model.get("sale.complaint.type")(name="Return", origin=origin).save()
    journal = Model.get("account.payment.journal")(name="Bank", process_method="manual")
    journal.company, journal.currency = company, company.currency
    journal.save()


def stock(product) -> None:
    """Forty pieces in the storage."""
    (storage,) = Model.get("stock.location").find([("code", "=", "STO")])
    inventory = Model.get("stock.inventory")(location=storage)
    line = inventory.lines.new()
    line.product, line.quantity = product, 40
    inventory.click("confirm")


def sell(customer, term, product) -> None:
    """Eight orders of two pieces each: delivered, invoiced, and the invoice posted."""
    for _ in range(8):
        sale = Model.get("sale.sale")(party=customer, payment_term=term, invoice_method="order")
        line = sale.lines.new()
        line.product, line.quantity = product, 2
        click(sale, "quote", "confirm")
        sale.reload()
        click(sale.shipments[0], "assign_try", "pick", "pack", "do")
        click(sale.invoices[0], "post")


def buy(supplier, term, products) -> None:
    """Eleven purchase orders of 10,100.00, each with the draft of its invoice."""
    for _ in range(13):
        purchase = Model.get("purchase.purchase")(
            party=supplier, payment_term=term, invoice_method="order"
        )
        for product, quantity, price in ((products[0], 10, "900"), (products[1], 5, "220")):
            line = purchase.lines.new()
            line.product, line.quantity, line.unit_price = product, quantity, Decimal(price)
        click(purchase, "quote", "confirm")


let_in()
fill()
print("filled", dt.date.today().isoformat())
