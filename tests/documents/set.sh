# A set of the transaction data feed is in the folder `set`: one zip with one file in it, and the control file.
mkdir set
stamp=$(date -u +%Y%m%d%H%M%S)0000
zip=DAILY_PROVIDER_1500131086_0_${stamp}_NZT.zip
member=DAILY_CUSTOMER_0_${stamp}_NZT.xml
cat >"$member" <<'END'
<?xml version="1.0"?>
<Customers><Customer ID="49091850" IDType="IRD"><ClientList ListID="" ListIDType=""/></Customer></Customers>
END
python3 -c 'import sys, zipfile; zipfile.ZipFile(sys.argv[1], "w").write(sys.argv[2])' "set/$zip" "$member"
rm "$member"
cat >"set/DAILY_PROVIDER_1500131086_1_${stamp}_NZT_CONTROL.xml" <<END
<?xml version="1.0"?>
<FileTransfers TotalTransactionCount="0" TotalPeriodCount="0">
  <FileTransfer FileName="$zip" TransactionCount="0" PeriodCount="0">
    <ChildFile FileName="$member" TransactionCount="0" PeriodCount="0" />
  </FileTransfer>
</FileTransfers>
END
