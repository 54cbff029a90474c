"""Who is told: topics of alarms and reports, the sender of mail, and the budget."""

from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_ses as ses
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infra.aws.stacks.base import Deployment, DeploymentStack
from infra.aws.stacks.data import Data


class Notifications(DeploymentStack):
    """Topics by name, and a budget that mails before the month is spent."""

    def __init__(self, scope: Construct, deployment: Deployment, data: Data) -> None:
        super().__init__(scope, "notifications", deployment)
        key = data.key_for(self)
        self.topics = {name: self._topic(name, key) for name in self.resources.topics}
        if self.inputs.sender:
            is_domain = "@" not in self.inputs.sender
            identity = ses.Identity.domain if is_domain else ses.Identity.email
            ses.EmailIdentity(self, "Sender", identity=identity(self.inputs.sender))
        self._budget()

    def _topic(self, name: str, key: kms.IKey) -> sns.Topic:
        topic = sns.Topic(self, name.title().replace("-", ""), topic_name=name, master_key=key, enforce_ssl=True)
        # A topic with a policy of its own takes nothing from a service that the policy does not name.
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": self.inputs.account}},
            )
        )
        topic.add_subscription(subscriptions.EmailSubscription(self.inputs.email))
        return topic

    def _budget(self) -> None:
        told = budgets.CfnBudget.SubscriberProperty(subscription_type="EMAIL", address=self.inputs.email)
        budgets.CfnBudget(
            self,
            "Budget",
            budget=budgets.CfnBudget.BudgetDataProperty(
                budget_name=f"storepulse-{self.profile.name}",
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=budgets.CfnBudget.SpendProperty(amount=self.profile.budget_dollars, unit="USD"),
            ),
            notifications_with_subscribers=[
                budgets.CfnBudget.NotificationWithSubscribersProperty(
                    notification=budgets.CfnBudget.NotificationProperty(
                        comparison_operator="GREATER_THAN", notification_type=kind, threshold=share
                    ),
                    subscribers=[told],
                )
                for kind, share in (("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100))
            ],
        )
